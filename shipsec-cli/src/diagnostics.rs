//! What there is to say about a graph, with the lines that it is about.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use shipsec_core::workflow::Severity;

use crate::{
    graph_file::{GraphFile, Problem},
    text::{counted, is_unsafe, visible},
};

/// The most problems that are shown with their lines.
const MOST: usize = 50;

/// The longest part of a line that is shown, in bytes.
const LONGEST_LINE: usize = 4096;

/// Everything there is to say about a graph, for a terminal with colours.
pub(crate) fn report(file: &GraphFile) -> String {
    let columns = crossterm::terminal::size().map_or(100, |(columns, _)| usize::from(columns));
    let renderer = Renderer::styled().term_width(columns.max(60));
    let mut text = String::new();
    for problem in file.problems.iter().take(MOST) {
        text.push_str(&one(file, problem, &renderer));
        text.push_str("\n\n");
    }
    if let Some(more) = file
        .problems
        .len()
        .checked_sub(MOST)
        .filter(|more| *more > 0)
    {
        text.push_str(&format!(
            "… and {more} more; `validate --format json` lists them\n\n"
        ));
    }
    let errors = count(file, Severity::Error);
    let warnings = count(file, Severity::Warning);
    let mut said = Vec::new();
    if errors > 0 {
        said.push(counted(errors, "error", "errors"));
    }
    if warnings > 0 {
        said.push(counted(warnings, "warning", "warnings"));
    }
    text.push_str(&format!("{}: {}\n", visible(&file.name), said.join(", ")));
    text
}

fn count(file: &GraphFile, severity: Severity) -> usize {
    file.problems
        .iter()
        .filter(|problem| problem.severity == severity)
        .count()
}

fn one(file: &GraphFile, problem: &Problem, renderer: &Renderer) -> String {
    let level = match problem.severity {
        Severity::Warning => Level::WARNING,
        _ => Level::ERROR,
    };
    let title = level
        .primary_title(visible(&problem.message))
        .id(problem.code.as_str());
    let mut groups = Vec::new();
    match &problem.at {
        Some(at) => {
            let (lines, first, span) = excerpt(&file.text, at.clone());
            let mut mark = AnnotationKind::Primary.span(span);
            if !problem.path.is_empty() {
                mark = mark.label(visible(&problem.path));
            }
            let snippet = Snippet::source(lines)
                .line_start(first)
                .path(visible(&file.name))
                .annotation(mark);
            groups.push(title.element(snippet));
        }
        None => groups.push(annotate_snippets::Group::with_title(title)),
    }
    if let Some(suggestion) = &problem.suggestion {
        let help = Level::HELP.secondary_title(visible(suggestion));
        groups.push(annotate_snippets::Group::with_title(help));
    }
    renderer.render(&groups)
}

/// The line around a place, safe to show; its number; and where the place is in it.
fn excerpt(text: &str, at: Range<usize>) -> (String, usize, Range<usize>) {
    let start = text[..at.start].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at.start..]
        .find('\n')
        .map_or(text.len(), |end| at.start + end);
    let number = text[..start].bytes().filter(|byte| *byte == b'\n').count() + 1;
    let mut from = start.max(at.start.saturating_sub(LONGEST_LINE));
    let mut to = end.min(at.start + LONGEST_LINE);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    let safe = |part: &str| -> String {
        let shown = |c: char| match c {
            '\t' => ' ',
            c if is_unsafe(c) => '\u{fffd}',
            c => c,
        };
        part.chars().map(shown).collect()
    };
    let marked_end = at.end.clamp(at.start, to);
    let before = safe(&text[from..at.start]);
    let marked = safe(&text[at.start..marked_end]);
    let after = safe(&text[marked_end..to]);
    let span = before.len()..before.len() + marked.len();
    (format!("{before}{marked}{after}"), number, span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_in_its_line() {
        let text = "{\n  \"a\": 1,\n  \"b\": 2\n}";
        let at = text.find('2').unwrap();
        let (line, number, span) = excerpt(text, at..at + 1);
        assert_eq!((line.as_str(), number, &line[span]), ("  \"b\": 2", 3, "2"));
    }

    #[test]
    fn a_huge_line_is_cut_around_the_place_and_nothing_in_it_is_raw() {
        let text = format!("{}\u{9b}ü!{}", "ü".repeat(9000), "\u{202e}".repeat(9000));
        let at = text.find('!').unwrap();
        let (line, number, span) = excerpt(&text, at..at + 1);
        assert_eq!((number, &line[span]), (1, "!"));
        assert!(line.len() < 3 * LONGEST_LINE && !line.contains(is_unsafe));
    }

    #[test]
    fn the_end_of_the_text_is_a_place() {
        let (line, number, span) = excerpt("{\n", 2..2);
        assert_eq!((line.as_str(), number, span), ("", 2, 0..0));
    }
}
