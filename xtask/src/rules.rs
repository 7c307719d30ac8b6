//! The house rules that a program can check. STYLE.md says why each of them exists.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, UseTree, Visibility};

use crate::workspace;

/// Longer files say why at their top.
const LONG: usize = 600;
/// How that line begins.
const REASON: &str = "//! Long because";
/// The longest that the entry file of a macro crate may be: it cannot move its functions elsewhere.
const MACRO_ENTRY: usize = 80;

/// Folders whose code is a pure function of what it is given.
const PURE: [&str; 3] = [
    "shipsec-core/src/schedule/",
    "shipsec-core/src/event/",
    "shipsec-core/src/run/",
];
/// First segments of paths that such code does not name.
const ASYNC: [&str; 7] = [
    "tokio",
    "tokio_util",
    "tokio_stream",
    "futures",
    "futures_util",
    "futures_core",
    "async_trait",
];
/// Modules of the standard library that such code does not name either.
const WAITING: [&str; 2] = ["future", "task"];
/// Where the scheduler would find a clock, a file, a socket or a thread.
const OUTSIDE: [&str; 5] = ["fs", "net", "process", "thread", "io"];
const CLOCKS: [&str; 2] = ["Instant", "SystemTime"];

/// Which members a member may depend on (dev-dependencies aside). One that is not listed here, such
/// as the command line or an example, may use them all.
const ARROWS: &[(&str, &[&str])] = &[
    ("shipsec-macros", &[]),
    ("shipsec-core", &["shipsec-macros"]),
    ("shipsec-testkit", &["shipsec-core", "shipsec-macros"]),
    ("shipsec-components", &["shipsec-core", "shipsec-macros"]),
    ("shipsec-archive", &["shipsec-core"]),
    ("shipsec-sqlite", &["shipsec-core"]),
    ("shipsec-studio", &["shipsec-core"]),
];

/// What was looked at, and what was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) files: usize,
    pub(crate) breaches: Vec<Breach>,
}

/// One place that breaks one rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    path: String,
    line: usize,
    message: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Checks every Rust file that git knows or would add, and the arrows between members.
///
/// # Errors
/// git or a file cannot be read, or a file is not Rust.
pub(crate) fn check(root: &Path) -> anyhow::Result<Found> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
            "--",
            "*.rs",
        ])
        .current_dir(root)
        .output()
        .context("cannot start git")?;
    if !listed.status.success() {
        bail!(
            "git ls-files: {}",
            String::from_utf8_lossy(&listed.stderr).trim()
        );
    }
    let mut found = Found {
        files: 0,
        breaches: arrows()?,
    };
    for path in String::from_utf8(listed.stdout)?.split_terminator('\0') {
        // The inputs of compile-fail tests break rules on purpose, and a deleted file is still listed.
        if path.contains("/tests/ui/") || !root.join(path).exists() {
            continue;
        }
        let text = std::fs::read_to_string(root.join(path))
            .with_context(|| format!("cannot read {path}"))?;
        found.files += 1;
        found.breaches.extend(check_file(path, &text)?);
    }
    Ok(found)
}

/// Checks one file, given by its path within the workspace and its text.
fn check_file(path: &str, text: &str) -> anyhow::Result<Vec<Breach>> {
    let file: File = syn::parse_file(text).with_context(|| format!("{path} is not Rust"))?;
    let mut check = Check {
        path,
        breaches: Vec::new(),
    };
    check.length(text);
    check.comments(text);
    if matches!(path.rsplit('/').next(), Some("lib.rs" | "mod.rs")) {
        check.entry(&file.items, text.lines().count());
    }
    check.visit_file(&file);
    Ok(check.breaches)
}

/// Dependencies that point the wrong way.
fn arrows() -> anyhow::Result<Vec<Breach>> {
    let mut breaches = Vec::new();
    let members: Vec<_> = workspace::metadata()?.workspace_packages();
    for member in &members {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| member.name == *name) else {
            continue;
        };
        for dependency in &member.dependencies {
            let ours = members.iter().any(|other| other.name == dependency.name);
            let tests = dependency.kind == cargo_metadata::DependencyKind::Development;
            if ours && !tests && !allowed.contains(&dependency.name.as_str()) {
                breaches.push(Breach {
                    path: format!("{}/Cargo.toml", member.name),
                    line: 1,
                    message: format!("{} may not depend on {}", member.name, dependency.name),
                });
            }
        }
    }
    Ok(breaches)
}

struct Check<'a> {
    path: &'a str,
    breaches: Vec<Breach>,
}

impl Check<'_> {
    fn report(&mut self, span: Span, message: impl Into<String>) {
        self.report_line(span.start().line, message);
    }

    fn report_line(&mut self, line: usize, message: impl Into<String>) {
        self.breaches.push(Breach {
            path: self.path.to_owned(),
            line,
            message: message.into(),
        });
    }

    fn length(&mut self, text: &str) {
        let lines = text.lines().count();
        let excused = text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .any(|line| line.starts_with(REASON));
        if lines > LONG && !excused {
            self.report_line(
                1,
                format!("{lines} lines; split it, or say at its top `{REASON} …`"),
            );
        }
    }

    fn comments(&mut self, text: &str) {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_start();
            if line.starts_with("//") && ["TODO", "FIXME"].iter().any(|word| line.contains(word)) {
                self.report_line(index + 1, "a note for later; do it now or open an issue");
            }
        }
    }

    /// lib.rs and mod.rs: modules and re-exports only.
    fn entry(&mut self, items: &[Item], lines: usize) {
        let mut macros = false;
        for item in items {
            match item {
                Item::Use(_) | Item::ExternCrate(_) => {}
                Item::Mod(module) => {
                    if let Some((_, items)) = &module.content {
                        self.entry(items, 0);
                    }
                }
                Item::Fn(function) if function.attrs.iter().any(is_macro_entry) => macros = true,
                other => self.report(
                    other.span(),
                    "lib.rs and mod.rs only document and re-export; move this into a file of its own",
                ),
            }
        }
        if macros && lines > MACRO_ENTRY {
            self.report_line(
                1,
                format!("{lines} lines; a macro crate's lib.rs has at most {MACRO_ENTRY}"),
            );
        }
    }

    /// A path that is imported or named in place, as its segments.
    fn named(&mut self, span: Span, segments: &[String]) {
        if !PURE.iter().any(|folder| self.path.starts_with(folder)) {
            return;
        }
        let at = |index: usize| segments.get(index).map(String::as_str).unwrap_or_default();
        let std = matches!(at(0), "std" | "core");
        if ASYNC.contains(&at(0)) || std && WAITING.contains(&at(1)) {
            self.report(
                span,
                format!(
                    "`{}` is async; schedule, event and run are not",
                    segments.join("::")
                ),
            );
        }
        let clock = std && at(1) == "time" && CLOCKS.contains(&at(2));
        if self.path.starts_with(PURE[0]) && (clock || std && OUTSIDE.contains(&at(1))) {
            self.report(
                span,
                format!(
                    "`{}` is outside; the scheduler has no clock and no I/O",
                    segments.join("::")
                ),
            );
        }
    }

    fn imported(&mut self, tree: &UseTree, mut before: Vec<String>, public: bool) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.imported(&path.tree, before, public);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.imported(tree, before.clone(), public);
                }
            }
            UseTree::Name(name) => {
                before.push(name.ident.to_string());
                self.named(name.span(), &before);
            }
            UseTree::Rename(rename) => {
                before.push(rename.ident.to_string());
                self.named(rename.span(), &before);
            }
            UseTree::Glob(glob) => {
                if public {
                    self.report(glob.span(), "a glob re-export; name what is public");
                }
                self.named(glob.span(), &before);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Check<'_> {
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("allow") {
            self.report(
                attribute.span(),
                "`allow` outlives its reason; use #[expect(…, reason = \"…\")]",
            );
        }
        visit::visit_attribute(self, attribute);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.ident == "prelude" {
            self.report(
                module.span(),
                "a prelude; name what is imported where it is used",
            );
        }
        visit::visit_item_mod(self, module);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let public = !matches!(item.vis, Visibility::Inherited);
        self.imported(&item.tree, Vec::new(), public);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        self.named(path.span(), &segments);
        visit::visit_path(self, path);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        if let Some(word) = &signature.asyncness
            && PURE.iter().any(|folder| self.path.starts_with(folder))
        {
            self.report(
                word.span(),
                "an async function; schedule, event and run are not async",
            );
        }
        visit::visit_signature(self, signature);
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        if PURE.iter().any(|folder| self.path.starts_with(folder)) {
            self.report(
                block.async_token.span(),
                "an async block; schedule, event and run are not async",
            );
        }
        visit::visit_expr_async(self, block);
    }
}

fn is_macro_entry(attribute: &Attribute) -> bool {
    ["proc_macro", "proc_macro_derive", "proc_macro_attribute"]
        .iter()
        .any(|name| attribute.path().is_ident(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that are reported for a file, each with the beginning of what is said.
    fn found(path: &str, text: &str) -> Vec<(usize, String)> {
        let breaches = check_file(path, text).unwrap();
        breaches
            .into_iter()
            .map(|breach| {
                let words = breach
                    .message
                    .split(' ')
                    .take(2)
                    .collect::<Vec<_>>()
                    .join(" ");
                (breach.line, words)
            })
            .collect()
    }

    fn one(line: usize, words: &str) -> Vec<(usize, String)> {
        vec![(line, words.to_owned())]
    }

    #[test]
    fn entry_files_only_document_and_re_export() {
        let clean =
            "//! Docs.\n#![forbid(unsafe_code)]\nmod a;\n/// B.\npub mod b;\npub use a::A;\n";
        assert_eq!(found("x/src/lib.rs", clean), []);
        let logic = format!("{clean}fn main() {{}}\n");
        assert_eq!(found("x/src/lib.rs", &logic), one(7, "lib.rs and"));
        assert_eq!(found("x/src/a/mod.rs", &logic), one(7, "lib.rs and"));
        assert_eq!(found("x/src/a.rs", &logic), []);
    }

    #[test]
    fn a_macro_crate_keeps_its_entry_functions_in_a_short_file() {
        let entry = "#[proc_macro_derive(Ports)]\npub fn ports(i: T) -> T { i }\n";
        assert_eq!(found("m/src/lib.rs", entry), []);
        let long = format!("{entry}{}", "//\n".repeat(MACRO_ENTRY));
        assert_eq!(found("m/src/lib.rs", &long), one(1, "82 lines;"));
    }

    #[test]
    fn a_long_file_says_why() {
        let long = "\n".repeat(LONG + 1);
        assert_eq!(found("x/src/a.rs", &long), one(1, "601 lines;"));
        let excused = format!("//! A table.\n//!\n//! Long because it is one table.\n{long}");
        assert_eq!(found("x/src/a.rs", &excused), []);
    }

    #[test]
    fn pure_folders_name_nothing_async() {
        let text = "use std::{fmt, future::Future};\nuse tokio::sync::mpsc;\n\
                    fn f() -> futures::Stream { todo() }\nasync fn g() {}\n";
        let lines = |path| {
            found(path, text)
                .iter()
                .map(|(line, _)| *line)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines("shipsec-core/src/run/view.rs"), [1, 2, 3, 4]);
        assert_eq!(lines("shipsec-core/src/execute/local.rs"), [0; 0]);
    }

    #[test]
    fn the_scheduler_has_neither_clock_nor_files() {
        let text = "use std::time::{Duration, Instant};\nfn f() { std::fs::read(\"x\"); }\n";
        let lines = |path| {
            found(path, text)
                .iter()
                .map(|(line, _)| *line)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines("shipsec-core/src/schedule/machine.rs"), [1, 2]);
        assert_eq!(lines("shipsec-core/src/event/envelope.rs"), [0; 0]);
    }

    #[test]
    fn allow_globs_preludes_and_notes_for_later_are_named() {
        let allow = concat!("#[allow", "(dead_code)]\nfn f() {}\n");
        assert_eq!(found("x/src/a.rs", allow), one(1, "`allow` outlives"));
        assert_eq!(found("x/src/a.rs", "pub use b::*;\n"), one(1, "a glob"));
        assert_eq!(found("x/src/a.rs", "use super::*;\n"), []);
        assert_eq!(
            found("x/src/a.rs", "mod prelude {}\n"),
            one(1, "a prelude;")
        );
        assert_eq!(
            found("x/src/a.rs", "// TODO later\nfn f() {}\n"),
            one(1, "a note")
        );
        assert_eq!(found("x/src/a.rs", "const T: &str = \"TODO\";\n"), []);
    }

    #[test]
    fn what_a_macro_writes_is_not_judged() {
        let text = concat!("fn f() { quote!(#[allow", "(dead_code)] fn g() {}); }\n");
        assert_eq!(found("x/src/expand.rs", text), []);
    }
}
