//! `shipsec answer`: what a run waits for, from a person.

use std::{fmt::Write as _, process::ExitCode};

use serde_json::{Map, Value as Json, json};
use shipsec_core::{
    event::AwaitingInputPayload,
    execute::{Executor as _, ResumeError},
    run::RunView,
    trace::{AnswerError, TraceStoreExt as _},
};

use super::{
    host::{Host, hosted},
    resume,
};
use crate::{
    args::{AnswerArgs, RunArg},
    calls::{self, Asked},
    failure::Failure,
    inputs,
    runs::Found,
    text::visible,
};

pub(crate) fn answer(args: &AnswerArgs) -> Result<ExitCode, Failure> {
    hosted(async |said| {
        let secrets = inputs::secrets(&args.host.secret)?;
        let run = RunArg {
            name: args.name.clone(),
            place: args.host.place.clone(),
        };
        let found = Found::by(&run).await?;
        let view = found.view().await?;
        let all = calls::questions(&found, &view).await?;
        let asked = asked(&view, &all, args.node.as_deref())?;
        let Some(answer) = given(args, &asked.question)? else {
            return Err(Failure::unusable(shown(asked)));
        };
        let host = Host::open(&args.host, secrets, None, said)?;
        let user = || {
            let names = ["USER", "LOGNAME", "USERNAME"];
            names.iter().find_map(|name| std::env::var(name).ok())
        };
        let by = args.by.clone().or_else(user);
        let recorded = host
            .store
            .answer(&asked.run, &asked.node, answer, by.as_deref())
            .await;
        recorded.map_err(|error| match error {
            AnswerError::Invalid { .. } => Failure::unusable(format!("{error}\n{}", shown(asked))),
            error => Failure::unusable(error),
        })?;
        if !host.is_log() {
            let (run, node) = (&asked.run, visible(asked.node.as_str()));
            anstream::println!("answered node {node} of run {run}");
        }
        if args.no_resume {
            return Ok(ExitCode::SUCCESS);
        }
        let found = Found::of(&host.store, asked.run.clone());
        let view = found.view().await?;
        let outer = calls::outermost(&found, &view).await?;
        let top = outer.as_ref().unwrap_or(&view);
        host.has_workflows_of(top).await?;
        // Where a process runs it, that one goes on with the answer.
        match host.executor.resume(&top.run_id).await {
            Ok(handle) => {
                if let (Some(outer), false) = (&outer, host.is_log()) {
                    anstream::println!("{}", resume::instead(&view, outer));
                }
                let title = resume::title(top);
                let view = outer.unwrap_or(view);
                host.follow(handle, &title, view).await
            }
            Err(ResumeError::Held(_) | ResumeError::Ended { .. }) => Ok(ExitCode::SUCCESS),
            Err(error) => Err(resume::cannot(&error)),
        }
    })
}

/// The question that is meant, of all that wait for an answer.
fn asked<'a>(view: &RunView, all: &'a [Asked], node: Option<&str>) -> Result<&'a Asked, Failure> {
    let run = &view.run_id;
    let list = || list(view, all);
    let Some(node) = node else {
        return match all {
            [one] => Ok(one),
            [] => Err(Failure::unusable(format!(
                "run {run} is {}: nothing in it waits for an answer",
                view.status
            ))),
            _ => Err(Failure::unusable(format!(
                "several nodes of run {run} wait for an answer: name one\n{}",
                list()
            ))),
        };
    };
    let named = || all.iter().filter(|asked| asked.node == *node);
    if let Some(own) = named().find(|asked| asked.run == *run) {
        return Ok(own);
    }
    let mut called = named();
    match (called.next(), called.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(Failure::unusable(format!(
            "node {node:?} waits for an answer in several runs that run {run} called: name the run\n{}",
            list()
        ))),
        (None, _) => {
            let known = match view.node(node) {
                Some(found) => format!("node {node:?} of run {run} is {}", found.state),
                None => format!("run {run} has no node {node:?}"),
            };
            Err(Failure::unusable(format!("{known}; {}", list())))
        }
    }
}

fn list(view: &RunView, all: &[Asked]) -> String {
    const MOST: usize = 20;
    let lines = all.iter().take(MOST).map(|asked| {
        let (node, title) = (&asked.node, &asked.question.title);
        match asked.run == view.run_id {
            true => format!("{node}: {title}"),
            false => format!("{node} of run {}, which it called: {title}", asked.run),
        }
    });
    let mut lines: Vec<String> = lines.collect();
    if all.len() > MOST {
        lines.push(format!("… and {} more", all.len() - MOST));
    }
    match lines.is_empty() {
        true => "nothing in it waits for an answer".to_owned(),
        false => format!("waiting are\n  {}", lines.join("\n  ")),
    }
}

/// The question, and how to answer it.
fn shown(asked: &Asked) -> String {
    let Asked {
        run,
        node,
        question,
    } = asked;
    let mut text = format!("node {node} asks: {}\n", question.title);
    let command = format!("shipsec answer {run} {node}");
    if question.kind == "approval" {
        let _ = write!(
            text,
            "answer with: {command} --approve, or --reject; --comment says why"
        );
        return text;
    }
    let properties = question
        .schema
        .as_ref()
        .and_then(|schema| schema.get("properties")?.as_object());
    let required = question
        .schema
        .as_ref()
        .and_then(|schema| schema.get("required")?.as_array());
    let mut fields: Vec<_> = properties.into_iter().flatten().collect();
    fields.sort_by_key(|(_, schema)| {
        let order = schema.get("x-order").and_then(Json::as_u64);
        order.unwrap_or(u64::MAX)
    });
    for (field, schema) in fields {
        let of = match (schema.get("enum"), schema.get("type")) {
            (Some(options), _) => format!("one of {options}"),
            (None, Some(Json::String(of))) => of.clone(),
            _ => "any JSON".to_owned(),
        };
        let needed = required.is_some_and(|all| all.iter().any(|name| name == field));
        let needed = if needed { "" } else { ", optional" };
        let title = schema
            .get("title")
            .and_then(Json::as_str)
            .unwrap_or_default();
        let _ = writeln!(text, "  {field} ({of}{needed}) {title}");
    }
    if properties.is_none()
        && let Some(schema) = &question.schema
    {
        let _ = writeln!(text, "  it takes {schema}");
    }
    let how = if properties.is_some() {
        "--set FIELD=VALUE"
    } else {
        "--json VALUE"
    };
    let _ = write!(text, "answer with: {command} {how}");
    text
}

/// The answer that the arguments make; `None` where they make none.
fn given(args: &AnswerArgs, question: &AwaitingInputPayload) -> Result<Option<Json>, Failure> {
    if let Some(text) = &args.json {
        let parsed = serde_json::from_str(text);
        return parsed.map(Some).map_err(|error| {
            Failure::unusable(format!("--json {text:?}: {error}; a text stands in quotes"))
        });
    }
    let mut fields = Map::new();
    if args.approve || args.reject {
        fields.insert("approved".to_owned(), json!(args.approve));
    }
    for argument in &args.set {
        let (field, text) = argument
            .split_once('=')
            .ok_or_else(|| Failure::unusable(format!("--set {argument:?}: expected K=V")))?;
        let schema = question.schema.as_ref();
        let of =
            schema.and_then(|schema| schema.get("properties")?.get(field)?.get("type")?.as_str());
        let value = match of {
            Some("string") => Json::from(text),
            _ => serde_json::from_str(text).unwrap_or_else(|_| Json::from(text)),
        };
        fields.insert(field.to_owned(), value);
    }
    if fields.is_empty() {
        return Ok(None);
    }
    if let Some(comment) = &args.comment {
        fields.insert("comment".to_owned(), comment.as_str().into());
    }
    Ok(Some(Json::Object(fields)))
}
