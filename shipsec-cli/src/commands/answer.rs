//! `shipsec answer`: what a run waits for, from a person.

use std::{fmt::Write as _, process::ExitCode, sync::Arc};

use serde_json::{Map, Value as Json, json};
use shipsec_core::{
    NodeId,
    event::AwaitingInputPayload,
    execute::{Executor as _, ResumeError},
    run::{NodeView, RunView},
    trace::{AnswerError, TraceStoreExt as _},
};

use super::{
    host::{Host, hosted},
    resume,
};
use crate::{
    args::{AnswerArgs, RunArg},
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
        let (node, question) = asked(&view, args.node.as_deref())?;
        let Some(answer) = given(args, &question)? else {
            return Err(Failure::unusable(shown(&view, &node, &question)));
        };
        let host = Host::open(&args.host, secrets, None, said)?;
        let user = || {
            let names = ["USER", "LOGNAME", "USERNAME"];
            names.iter().find_map(|name| std::env::var(name).ok())
        };
        let by = args.by.clone().or_else(user);
        let recorded = host
            .store
            .answer(&found.id, &node, answer, by.as_deref())
            .await;
        recorded.map_err(|error| match error {
            AnswerError::Invalid { .. } => {
                Failure::unusable(format!("{error}\n{}", shown(&view, &node, &question)))
            }
            error => Failure::unusable(error),
        })?;
        if !host.is_log() {
            let (run, node) = (&found.id, visible(node.as_str()));
            anstream::println!("answered node {node} of run {run}");
        }
        if args.no_resume {
            return Ok(ExitCode::SUCCESS);
        }
        let found = Found {
            store: host.store.clone(),
            ..found
        };
        let view = found.view().await?;
        // Where a process runs it, that one goes on with the answer.
        match host.executor.resume(&found.id).await {
            Ok(handle) => {
                let title = resume::title(&view);
                host.follow(handle, &title, view).await
            }
            Err(ResumeError::Held(_) | ResumeError::Ended { .. }) => Ok(ExitCode::SUCCESS),
            Err(error) => Err(resume::cannot(&error)),
        }
    })
}

/// What waits for an answer, nodes and items.
fn waiting(view: &RunView) -> impl Iterator<Item = &NodeView> {
    let items = view.nodes().flat_map(|(id, _)| {
        let items = view.items(id.as_str());
        items.into_iter().flat_map(|items| items.iter())
    });
    let nodes = view.nodes().map(|(_, node)| node).chain(items);
    nodes.filter(|node| node.awaiting.is_some())
}

/// The node that is meant, and its question.
fn asked(
    view: &RunView,
    node: Option<&str>,
) -> Result<(NodeId, Arc<AwaitingInputPayload>), Failure> {
    let run = &view.run_id;
    if let Some(node) = node {
        let found = view.node(node);
        if let Some(question) = found.and_then(|found| found.awaiting.clone()) {
            return Ok((NodeId::from(node), question));
        }
        let known = match found {
            Some(found) => format!("node {node:?} of run {run} is {}", found.state),
            None => format!("run {run} has no node {node:?}"),
        };
        return Err(Failure::unusable(format!("{known}; {}", list(view))));
    }
    let mut all = waiting(view);
    match (all.next(), all.next()) {
        (
            Some(NodeView {
                node_id,
                awaiting: Some(question),
                ..
            }),
            None,
        ) => Ok((node_id.clone(), question.clone())),
        (None, _) => Err(Failure::unusable(format!(
            "run {run} is {}: nothing in it waits for an answer",
            view.status
        ))),
        _ => Err(Failure::unusable(format!(
            "several nodes of run {run} wait for an answer: name one\n{}",
            list(view)
        ))),
    }
}

fn list(view: &RunView) -> String {
    let lines = waiting(view).take(20).map(|node| {
        let title = node
            .awaiting
            .as_ref()
            .map_or("", |asked| asked.title.as_str());
        format!("{}: {title}", node.node_id)
    });
    match lines.collect::<Vec<_>>() {
        lines if lines.is_empty() => "nothing in it waits for an answer".to_owned(),
        lines => format!("waiting are\n  {}", lines.join("\n  ")),
    }
}

/// The question, and how to answer it.
fn shown(view: &RunView, node: &NodeId, question: &AwaitingInputPayload) -> String {
    let mut text = format!("node {node} asks: {}\n", question.title);
    let command = format!("shipsec answer {} {node}", view.run_id);
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
    for (field, schema) in properties.into_iter().flatten() {
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
