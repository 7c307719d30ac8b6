//! A workflow's graph in a file.

use std::{
    fs,
    io::{self, Read},
    ops::Range,
    path::Path,
};

use serde::Serialize;
use shipsec_core::{
    Registry,
    workflow::{Compiled, Diagnostic, Graph, Severity, compile},
};

use crate::locate::{Places, offset};

/// The largest graph that is read, in bytes.
const LARGEST: u64 = 512 * 1024 * 1024;

/// One thing to say about a graph: of the file, of its JSON, or of the compiler.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Problem {
    /// A stable name. Beside those of the compiler: `unreadable-file` and `invalid-graph`.
    pub(crate) code: String,
    pub(crate) severity: Severity,
    /// JSON Pointer into the graph.
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) suggestion: Option<String>,
    /// Bytes of the text to point at.
    #[serde(skip)]
    pub(crate) at: Option<Range<usize>>,
}

/// A graph's text, and what there is to say about it.
#[derive(Debug)]
pub(crate) struct GraphFile {
    /// What the text is called.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) problems: Vec<Problem>,
    /// The graph and what the compiler made of it, where it compiled.
    pub(crate) compiled: Option<Compiled>,
    /// Nodes and edges of the graph, as far as it could be read.
    pub(crate) size: (usize, usize),
}

impl GraphFile {
    /// Reads and compiles a graph.
    pub(crate) fn load(path: &Path, registry: &Registry) -> Self {
        let is_stdin = path == Path::new("-");
        let name = match is_stdin {
            true => "standard input".to_owned(),
            false => path.display().to_string(),
        };
        let mut file = Self {
            name,
            text: String::new(),
            problems: Vec::new(),
            compiled: None,
            size: (0, 0),
        };
        let text = match is_stdin {
            true => read(io::stdin().lock()),
            false => fs::File::open(path).and_then(read),
        };
        match text {
            // Some editors begin a file with a byte order mark.
            Ok(mut text) => {
                if text.starts_with('\u{feff}') {
                    text.drain(..'\u{feff}'.len_utf8());
                }
                file.text = text;
            }
            Err(error) => {
                file.problems.push(Problem {
                    code: "unreadable-file".to_owned(),
                    severity: Severity::Error,
                    path: String::new(),
                    message: format!("graph {:?} cannot be read: {error}", file.name),
                    suggestion: Some(
                        "give the path of a JSON file, or - for standard input".to_owned(),
                    ),
                    at: None,
                });
                return file;
            }
        }
        match Graph::from_json(&file.text) {
            Ok(graph) => file.compile(&graph, registry),
            Err(_) => {
                // Of JSON that is whole, the value; else the place where reading stopped.
                let whole = serde_json::from_str::<serde::de::IgnoredAny>(&file.text).is_ok();
                let places = whole.then(|| Places::of(&file.text));
                for error in Graph::problems(&file.text) {
                    let value = places.as_ref().and_then(|places| places.find(&error.path));
                    let at = value.unwrap_or_else(|| offset(&file.text, error.line, error.column));
                    file.problems.push(Problem {
                        code: "invalid-graph".to_owned(),
                        severity: Severity::Error,
                        path: error.path,
                        message: error.message,
                        suggestion: None,
                        at: Some(at),
                    });
                }
            }
        }
        file
    }

    fn compile(&mut self, graph: &Graph, registry: &Registry) {
        self.size = (graph.nodes.len(), graph.edges.len());
        let diagnostics = match compile(graph, registry) {
            Ok(compiled) => {
                let warnings = compiled.warnings.clone();
                self.compiled = Some(compiled);
                warnings
            }
            Err(diagnostics) => diagnostics,
        };
        if diagnostics.is_empty() {
            return;
        }
        let places = Places::of(&self.text);
        let problem = |diagnostic: &Diagnostic| Problem {
            code: diagnostic.code.to_string(),
            severity: diagnostic.severity,
            path: diagnostic.path.clone(),
            message: diagnostic.message.clone(),
            suggestion: diagnostic.suggestion.clone(),
            at: places.find(&diagnostic.path),
        };
        self.problems = diagnostics.iter().map(problem).collect();
    }
}

fn read(from: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    let read = from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if read as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 512 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::other(format!("it is not UTF-8 text (from byte {at} on)"))
    })
}
