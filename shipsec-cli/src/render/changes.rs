//! What is different between two runs, for people.

use std::io::{self, Write};

use serde_json::Value as Json;
use shipsec_core::run::diff::{Change, Class, RunDiff};

use super::style;
use crate::text::{counted, fit, millis, visible};

/// The longest value that is shown, in columns.
const LONGEST: usize = 140;

/// Changes of one kind at one node that are shown.
const MOST: usize = 50;

/// In the terminal.
pub(crate) fn text(diff: &RunDiff, out: &mut impl Write) -> io::Result<()> {
    let bold = style::BOLD;
    let side = |run: &shipsec_core::run::diff::RunSide| {
        let started = run.started_at.map(|at| at.to_string()).unwrap_or_default();
        let started = started.get(..19).unwrap_or(&started).replace('T', " ");
        format!("{} ({}, {started})", run.run_id, run.status)
    };
    writeln!(out, "- {}", side(&diff.a))?;
    writeln!(out, "+ {}", side(&diff.b))?;
    if diff.is_empty() {
        return writeln!(out, "no difference");
    }
    for group in groups(diff) {
        writeln!(out, "\n{bold}{}{bold:#}", group.title())?;
        for change in group.changes.iter().take(MOST) {
            let (sign, colour) = match (&change.before, &change.after) {
                (None, Some(_)) => ("+", style::ADDED),
                (Some(_), None) => ("-", style::REMOVED),
                _ => ("~", style::CHANGED),
            };
            writeln!(
                out,
                "  {colour}{sign}{colour:#} {}",
                fit(&line(change), LONGEST)
            )?;
        }
        if group.changes.len() > MOST {
            writeln!(out, "  … and {} more", group.changes.len() - MOST)?;
        }
    }
    writeln!(out, "\n{}", summary(diff))
}

/// As Markdown, for a pull request.
pub(crate) fn markdown(diff: &RunDiff, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "## Changes from run `{}` to run `{}`\n",
        diff.a.run_id, diff.b.run_id
    )?;
    if diff.is_empty() {
        return writeln!(out, "No difference.");
    }
    writeln!(out, "{}", summary(diff))?;
    for group in groups(diff) {
        writeln!(out, "\n### {}\n", escaped(&group.title()))?;
        for change in group.changes.iter().take(MOST) {
            let sign = match (&change.before, &change.after) {
                (None, Some(_)) => "added",
                (Some(_), None) => "removed",
                _ => "changed",
            };
            writeln!(
                out,
                "- **{sign}** {}",
                escaped(&fit(&line(change), LONGEST))
            )?;
        }
        if group.changes.len() > MOST {
            writeln!(out, "- and {} more", group.changes.len() - MOST)?;
        }
    }
    Ok(())
}

/// Changes of one class at one node.
struct Group<'a> {
    class: Class,
    node: Option<&'a str>,
    changes: Vec<&'a Change>,
}

impl Group<'_> {
    fn title(&self) -> String {
        let of = match (self.class, self.node) {
            (Class::Added | Class::Removed, _) => "Nodes".to_owned(),
            (_, None) => "Run".to_owned(),
            (_, Some(node)) => visible(node).into_owned(),
        };
        format!("{of}: {}", self.class)
    }
}

fn groups(diff: &RunDiff) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    // That an input brings something else follows from the output that it comes from.
    let told = |change: &&Change| change.from.is_empty();
    for change in diff.changes.iter().filter(told) {
        let of_nodes = matches!(change.class, Class::Added | Class::Removed);
        let node = change
            .node_id
            .as_ref()
            .map(|id| id.as_str())
            .filter(|_| !of_nodes);
        match groups.last_mut() {
            Some(group) if group.class == change.class && group.node == node => {
                group.changes.push(change);
            }
            _ => groups.push(Group {
                class: change.class,
                node,
                changes: vec![change],
            }),
        }
    }
    groups
}

/// One change in one line that is safe to show.
fn line(change: &Change) -> String {
    let place = match (change.class, &change.node_id) {
        (Class::Added | Class::Removed, Some(node)) => node.to_string(),
        (Class::Rewired, _) => String::new(),
        _ => change.path.join("/"),
    };
    let mut text = visible(&place).into_owned();
    let shown = |value: &Json| match (change.class, value.as_f64()) {
        (Class::Duration, Some(took)) => millis(took),
        _ => shown(value),
    };
    let what = match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("{} → {}", shown(before), shown(after)),
        (Some(only), None) | (None, Some(only)) => shown(only),
        (None, None) => "something else".to_owned(),
    };
    if !text.is_empty() {
        text.push_str(": ");
    }
    text.push_str(&what);
    text
}

/// A value in a few words: a finding by what it says and where, other things as JSON.
fn shown(value: &Json) -> String {
    let field = |name: &str| value.get(name).and_then(Json::as_str);
    if let Some(title) = field("title").or_else(|| field("summary")) {
        let mut text = String::new();
        if let Some(severity) = field("severity") {
            text.push_str(&format!("[{}] ", visible(severity)));
        }
        text.push_str(&visible(title));
        if let Some(path) = field("path").or_else(|| field("package")) {
            text.push_str(&format!(", {}", visible(path)));
            if let Some(line) = value.get("line").and_then(Json::as_u64) {
                text.push_str(&format!(":{line}"));
            }
        }
        return text;
    }
    if let Some(state) = field("state") {
        let mut text = state.to_lowercase().replace('_', " ");
        if let Some(message) = value.pointer("/error/message").and_then(Json::as_str) {
            text.push_str(&format!(" ({})", visible(message)));
        }
        return text;
    }
    let one = match value {
        Json::Array(items) if items.len() == 1 => &items[0],
        other => other,
    };
    if let (Some(sha256), Some(size)) = (one.get("sha256").and_then(Json::as_str), one.get("size"))
    {
        return format!("{size} bytes, {}", fit(&visible(sha256), 12));
    }
    match value {
        Json::String(text) => fit(&visible(text), LONGEST).into_owned(),
        other => fit(&visible(&other.to_string()), LONGEST).into_owned(),
    }
}

fn summary(diff: &RunDiff) -> String {
    let counts: Vec<String> = diff
        .counts
        .iter()
        .map(|(class, count)| match (class, diff.following) {
            (Class::Input, following @ 1..) => {
                format!("{count} {class} ({following} by what other nodes gave)")
            }
            _ => format!("{count} {class}"),
        })
        .collect();
    let unchanged = counted(diff.unchanged_nodes, "node", "nodes");
    let omitted = match diff.omitted {
        0 => String::new(),
        more => format!("; {more} not listed"),
    };
    format!("{}; {unchanged} unchanged{omitted}", counts.join(", "))
}

/// Text as text in Markdown: what came from a component is no markup.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c.is_ascii_punctuation() && !",.:;/-'()".contains(c) {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}
