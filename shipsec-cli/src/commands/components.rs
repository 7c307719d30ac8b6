//! `shipsec components`.

use std::{fmt::Write as _, io::Write as _, process::ExitCode};

use anstyle::Style;
use serde_json::Value as Json;
use shipsec_core::component::{ComponentDefinition, PortSpec};

use crate::{
    args::Format,
    failure::Failure,
    json,
    text::{pad, width},
};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

pub(crate) fn components(id: Option<&str>, format: Format) -> Result<ExitCode, Failure> {
    let registry = shipsec_components::registry();
    let Some(id) = id else {
        let all: Vec<_> = registry.definitions().collect();
        match format {
            Format::Json => json::print(&all)?,
            Format::Text => show(&list(&all))?,
        }
        return Ok(ExitCode::SUCCESS);
    };
    let (name, version) = match id.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (id, None),
    };
    let Some(component) = registry.get(name, version) else {
        let near: Vec<_> = registry
            .near(name)
            .iter()
            .map(ToString::to_string)
            .collect();
        let hint = match (registry.get(name, None), near.is_empty()) {
            (Some(other), _) => format!("its version is {}", other.definition().version),
            (None, true) => "`shipsec components` lists them".to_owned(),
            (None, false) => format!("did you mean {}?", near.join(", ")),
        };
        return Err(Failure::unusable(format!("no component {id:?}; {hint}")));
    };
    match format {
        Format::Json => json::print(component.definition())?,
        Format::Text => show(&page(component.definition()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(text: &str) -> Result<(), Failure> {
    anstream::stdout()
        .lock()
        .write_all(text.as_bytes())
        .map_err(Failure::writing)
}

fn list(all: &[&std::sync::Arc<ComponentDefinition>]) -> String {
    let mut categories: Vec<&str> = all.iter().map(|one| one.category.as_str()).collect();
    categories.sort_unstable();
    categories.dedup();
    let widest = all
        .iter()
        .map(|one| width(one.id.as_str()))
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for category in categories {
        let _ = writeln!(text, "{BOLD}{category}{BOLD:#}");
        for one in all.iter().filter(|one| one.category == category) {
            let _ = writeln!(
                text,
                "  {}  {DIM}{}{DIM:#}  {}",
                pad(one.id.as_str(), widest),
                one.version,
                sentence(&one.description)
            );
        }
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "`shipsec components ID` shows one with its ports and parameters."
    );
    text
}

/// The first sentence.
fn sentence(text: &str) -> &str {
    let first = text.split("\n\n").next().unwrap_or_default();
    first
        .split_once(". ")
        .map_or(first, |(first, _)| first)
        .trim_end_matches('.')
}

fn page(one: &ComponentDefinition) -> String {
    let mut text = format!("{BOLD}{} {}{BOLD:#}\n\n", one.id, one.version);
    let _ = writeln!(text, "{}", one.description);
    ports(&mut text, "Inputs", &one.inputs);
    if !one.params.is_empty() {
        let _ = writeln!(text, "\n{BOLD}Parameters{BOLD:#}");
        for param in &one.params {
            let mut facts = vec![kind_of(&param.schema)];
            facts.push(match (&param.default, param.required) {
                (Some(default), _) => format!("default {default}"),
                (None, true) => "required".to_owned(),
                (None, false) => "optional".to_owned(),
            });
            entry(
                &mut text,
                &param.id,
                &facts.join(", "),
                &param.label,
                &param.description,
            );
        }
    }
    ports(&mut text, "Outputs", &one.outputs);
    if one.dynamic_ports {
        let _ = writeln!(text, "\nIts ports depend on its parameters.");
    }
    text
}

fn ports(text: &mut String, title: &str, ports: &[PortSpec]) {
    if ports.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{BOLD}{title}{BOLD:#}");
    for port in ports {
        let mut facts = vec![port.port_type.to_string()];
        match &port.default {
            Some(default) => facts.push(format!("default {default}")),
            None if title == "Inputs" && !port.required => facts.push("optional".to_owned()),
            None => {}
        }
        if port.branching {
            facts.push("branching".to_owned());
        }
        entry(
            text,
            port.id.as_str(),
            &facts.join(", "),
            &port.label,
            &port.description,
        );
    }
}

fn entry(text: &mut String, id: &str, facts: &str, label: &str, description: &str) {
    let about = if description.is_empty() {
        label
    } else {
        description
    };
    let _ = writeln!(text, "  {BOLD}{id}{BOLD:#}  {DIM}{facts}{DIM:#}");
    for line in about.lines() {
        let _ = writeln!(text, "      {line}");
    }
}

/// What a schema allows, in a word or two.
fn kind_of(schema: &Json) -> String {
    if let Some(all) = schema.get("enum").and_then(Json::as_array) {
        let all: Vec<_> = all.iter().map(ToString::to_string).collect();
        return all.join(" | ");
    }
    match schema.get("type") {
        Some(Json::String(kind)) => kind.clone(),
        Some(Json::Array(kinds)) => {
            let kinds: Vec<_> = kinds
                .iter()
                .filter_map(Json::as_str)
                .filter(|k| *k != "null")
                .collect();
            kinds.join(" | ")
        }
        _ => "any".to_owned(),
    }
}
