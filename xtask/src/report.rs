//! Running steps one after another and telling, once, how each of them went.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::workspace;

/// What the caller asked for, beyond the choice of steps.
#[derive(Debug)]
pub(crate) struct Options {
    /// Nothing may be skipped: an absent tool or material is a failure.
    pub(crate) strict: bool,
    /// Write what the examples print as what is expected of them.
    pub(crate) bless: bool,
}

/// One step of a task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// The word that selects it.
    pub(crate) name: &'static str,
    /// What it shows, in a few words.
    pub(crate) about: &'static str,
    /// Runs it; an error is a failure, with its text as the reason.
    pub(crate) run: fn(&Options) -> anyhow::Result<Outcome>,
}

/// How a step ended when it did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It held; the text says how much was looked at.
    Passed(String),
    /// Something that this machine could have is absent. A failure where nothing may be skipped.
    Skipped(String),
    /// A documented limit: what it needs cannot be had from here by any installation.
    Limited(String),
}

/// A step and what became of it.
#[derive(Debug)]
struct Line {
    name: &'static str,
    mark: &'static str,
    took: Duration,
    detail: String,
}

/// The steps that `only` names, in their own order; all of them when it names none.
///
/// # Errors
/// A name that no step has.
pub(crate) fn choose(steps: &'static [Step], only: &[String]) -> anyhow::Result<Vec<Step>> {
    if let Some(unknown) = only
        .iter()
        .find(|name| steps.iter().all(|step| step.name != **name))
    {
        let names: Vec<_> = steps.iter().map(|step| step.name).collect();
        bail!(
            "no step is named `{unknown}`; there are {}",
            names.join(", ")
        );
    }
    Ok(steps
        .iter()
        .filter(|step| only.is_empty() || only.iter().any(|name| name == step.name))
        .copied()
        .collect())
}

/// Runs every step, also after one has failed, and prints the summary. False when one failed.
///
/// # Errors
/// The summary cannot be written under the target folder.
pub(crate) fn run(title: &str, steps: &[Step], options: &Options) -> anyhow::Result<bool> {
    let begun = Instant::now();
    let mut lines = Vec::with_capacity(steps.len());
    for step in steps {
        println!("\n── {title}: {} · {}", step.name, step.about);
        let started = Instant::now();
        let (mark, detail) = judge((step.run)(options), options.strict);
        if mark == "FAILED" {
            eprintln!("{}: {detail}", step.name);
        }
        lines.push(Line {
            name: step.name,
            mark,
            took: started.elapsed(),
            detail,
        });
    }
    let summary = render(title, &lines, begun.elapsed());
    print!("\n{summary}");
    let folder = workspace::target().join("xtask");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(format!("{title}.txt")), &summary)?;
    Ok(lines.iter().all(|line| line.mark != "FAILED"))
}

fn judge(result: anyhow::Result<Outcome>, strict: bool) -> (&'static str, String) {
    match result {
        Ok(Outcome::Passed(detail)) => ("ok", detail),
        Ok(Outcome::Limited(reason)) => ("limit", reason),
        Ok(Outcome::Skipped(reason)) if strict => (
            "FAILED",
            format!("{reason} (nothing may be skipped when CI=true)"),
        ),
        Ok(Outcome::Skipped(reason)) => ("skipped", reason),
        Err(error) => ("FAILED", format!("{error:#}")),
    }
}

fn render(title: &str, lines: &[Line], took: Duration) -> String {
    let count = |mark: &str| lines.iter().filter(|line| line.mark == mark).count();
    let mut text = format!("── {title}: summary\n");
    for Line {
        name,
        mark,
        took,
        detail,
    } in lines
    {
        // A detail of many lines has been shown by its step; the summary keeps its first.
        let detail = detail.lines().next().unwrap_or_default();
        let seconds = took.as_secs_f64();
        writeln!(text, "{mark:>8}  {name:<11} {seconds:>7.1} s  {detail}")
            .expect("writing into a string does not fail");
    }
    writeln!(
        text,
        "{title}: {} ok, {} failed, {} skipped, {} limited in {:.1} s",
        count("ok"),
        count("FAILED"),
        count("skipped"),
        count("limit"),
        took.as_secs_f64()
    )
    .expect("writing into a string does not fail");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &[Step] = &[
        Step {
            name: "one",
            about: "",
            run: |_| Ok(Outcome::Passed("1".to_owned())),
        },
        Step {
            name: "two",
            about: "",
            run: |_| Ok(Outcome::Skipped("no tool".to_owned())),
        },
    ];

    #[test]
    fn steps_are_chosen_in_their_own_order() {
        let chosen = choose(STEPS, &["two".to_owned(), "one".to_owned()]).unwrap();
        assert_eq!(
            chosen.iter().map(|step| step.name).collect::<Vec<_>>(),
            ["one", "two"]
        );
        assert_eq!(choose(STEPS, &[]).unwrap().len(), 2);
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_names_that_exist() {
        let error = choose(STEPS, &["tow".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "no step is named `tow`; there are one, two");
    }

    #[test]
    fn what_is_absent_fails_only_where_nothing_may_be_skipped() {
        let absent = || Ok(Outcome::Skipped("no tool".to_owned()));
        assert_eq!(judge(absent(), false).0, "skipped");
        assert_eq!(judge(absent(), true).0, "FAILED");
        assert_eq!(
            judge(Ok(Outcome::Limited("no host".to_owned())), true).0,
            "limit"
        );
    }

    #[test]
    fn the_summary_counts_and_keeps_the_first_line_of_a_reason() {
        let took = Duration::from_millis(1500);
        let lines = [
            Line {
                name: "unit",
                mark: "ok",
                took,
                detail: "3 passed".to_owned(),
            },
            Line {
                name: "doc",
                mark: "FAILED",
                took,
                detail: "first\nsecond".to_owned(),
            },
        ];
        assert_eq!(
            render("test", &lines, took),
            "── test: summary\n      \
             ok  unit            1.5 s  3 passed\n  \
             FAILED  doc             1.5 s  first\n\
             test: 1 ok, 1 failed, 0 skipped, 0 limited in 1.5 s\n"
        );
    }
}
