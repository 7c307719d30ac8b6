//! `shipsec validate` and `shipsec compile`.

use std::{io::Write as _, path::Path, process::ExitCode};

use serde::Serialize;

use crate::{
    args::Format,
    diagnostics,
    failure::Failure,
    graph_file::{GraphFile, Problem},
    json,
    text::{counted, visible},
};

/// The exit code for a graph that cannot be used.
pub(crate) const UNUSABLE: u8 = 2;

/// What `validate --format json` prints.
#[derive(Serialize)]
struct Verdict<'a> {
    valid: bool,
    diagnostics: &'a [Problem],
}

pub(crate) fn validate(path: &Path, format: Format) -> Result<ExitCode, Failure> {
    let file = GraphFile::load(path, &shipsec_components::registry());
    let valid = file.compiled.is_some();
    match format {
        Format::Json => json::print(&Verdict {
            valid,
            diagnostics: &file.problems,
        })?,
        Format::Text => {
            let mut out = anstream::stdout().lock();
            if !file.problems.is_empty() {
                write!(out, "{}", diagnostics::report(&file)).map_err(Failure::writing)?;
            }
            if valid {
                let (nodes, edges) = file.size;
                writeln!(
                    out,
                    "{} is valid: {}, {}",
                    visible(&file.name),
                    counted(nodes, "node", "nodes"),
                    counted(edges, "edge", "edges")
                )
                .map_err(Failure::writing)?;
            }
        }
    }
    Ok(match valid {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(UNUSABLE),
    })
}

pub(crate) fn compile(path: &Path) -> Result<ExitCode, Failure> {
    let file = GraphFile::load(path, &shipsec_components::registry());
    if !file.problems.is_empty() {
        anstream::eprint!("{}", diagnostics::report(&file));
    }
    match &file.compiled {
        Some(compiled) => {
            json::print(compiled.plan.definition().as_ref())?;
            Ok(ExitCode::SUCCESS)
        }
        None => Ok(ExitCode::from(UNUSABLE)),
    }
}
