//! The inputs and secrets of a run, from the command line.

use std::{collections::BTreeSet, fs, io::Read as _, path::Path};

use serde_json::{Map, Value as Json};
use shipsec_core::{
    SecretName,
    component::PortType,
    context::EnvSecrets,
    workflow::{Plan, RuntimeInput, check_inputs},
};

use crate::failure::Failure;

/// The largest file that is read for an input, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Secrets that a run may use, by the names that the command line gave them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    pub(crate) source: EnvSecrets,
    /// What they are, by name.
    pub(crate) values: Vec<(SecretName, String)>,
    names: BTreeSet<String>,
}

/// Reads `NAME=ENV` arguments.
pub(crate) fn secrets(arguments: &[String]) -> Result<Secrets, Failure> {
    let mut secrets = Secrets::default();
    for argument in arguments {
        let (name, variable) = argument
            .split_once('=')
            .filter(|(name, variable)| !name.is_empty() && !variable.is_empty())
            .ok_or_else(|| {
                // What follows a `=` may be a secret that somebody gave by mistake.
                Failure::unusable(
                    "--secret takes NAME=ENV: a name, and the environment variable that holds it",
                )
            })?;
        let Some(value) = std::env::var_os(variable) else {
            return Err(Failure::unusable(format!(
                "--secret {name}: its environment variable is not set; give the name of a \
                 variable, not its value"
            )));
        };
        if let Ok(value) = value.into_string() {
            secrets.values.push((SecretName::from(name), value));
        }
        secrets.source = secrets.source.allow(name, variable);
        secrets.names.insert(name.to_owned());
    }
    Ok(secrets)
}

/// Reads the inputs, and checks them against what the workflow declares.
pub(crate) fn inputs(
    plan: &Plan,
    file: Option<&Path>,
    arguments: &[String],
    secrets: &Secrets,
) -> Result<Map<String, Json>, Failure> {
    inputs_over(Map::new(), plan, file, arguments, secrets)
}

/// The same over inputs that are there already.
pub(crate) fn inputs_over(
    mut inputs: Map<String, Json>,
    plan: &Plan,
    file: Option<&Path>,
    arguments: &[String],
    secrets: &Secrets,
) -> Result<Map<String, Json>, Failure> {
    let declared = plan.runtime_inputs();
    if let Some(path) = file {
        let given: Map<String, Json> = serde_json::from_str(&read(path)?).map_err(|error| {
            Failure::unusable(format!(
                "--inputs {}: {error}; expected a JSON object of inputs",
                path.display()
            ))
        })?;
        inputs.extend(given);
    }
    for argument in arguments {
        let (key, text) = argument.split_once('=').ok_or_else(|| {
            Failure::unusable(format!("--input {argument:?}: expected K=V or K=@FILE"))
        })?;
        let input = declared.iter().find(|input| input.id == key);
        let value = match text.strip_prefix('@') {
            Some(path) => value(input, read(Path::new(path))?, Some(path))?,
            None => value(input, text.to_owned(), None)?,
        };
        inputs.insert(key.to_owned(), value);
    }
    for input in declared
        .iter()
        .filter(|input| input.port_type == PortType::Secret)
    {
        let name = inputs
            .get(input.id.as_str())
            .and_then(|value| value.get("secretRef")?.as_str());
        if let Some(name) = name.filter(|name| !secrets.names.contains(*name)) {
            return Err(Failure::unusable(format!(
                "input {} takes the name of a secret, and none is named {name:?}: add --secret \
                 NAME=ENV",
                input.id
            )));
        }
    }
    check_inputs(plan, &inputs).map_err(|problems| unfit(declared, &problems))?;
    Ok(inputs)
}

fn unfit(
    declared: &[RuntimeInput],
    problems: &std::collections::BTreeMap<String, Vec<String>>,
) -> Failure {
    let mut message = "the inputs do not fit the workflow".to_owned();
    for (key, problems) in problems {
        for problem in problems {
            message.push_str(&format!("\n  {key}: {problem}"));
        }
    }
    if !declared.is_empty() {
        message.push_str("\nit takes:");
    }
    for input in declared {
        let needed = match (&input.default, input.required) {
            (Some(default), _) => format!(", default {default}"),
            (None, true) => ", required".to_owned(),
            (None, false) => String::new(),
        };
        let about = match (input.description.as_str(), input.label.as_str()) {
            ("", label) if label == input.id.as_str() => "",
            ("", label) => label,
            (description, _) => description,
        };
        let line = format!(
            "--input {}=…  {}{needed}  {about}",
            input.id, input.port_type
        );
        message.push_str("\n  ");
        message.push_str(line.trim_end());
    }
    Failure::Unusable(message)
}

/// The value that a text stands for, by the type that the workflow declares.
fn value(
    input: Option<&RuntimeInput>,
    mut text: String,
    file: Option<&str>,
) -> Result<Json, Failure> {
    let Some(input) = input else {
        // The check of the inputs names it.
        return Ok(text.into());
    };
    let from = || file.map_or(String::new(), |file| format!(" (from {file})"));
    Ok(match &input.port_type {
        PortType::Text => text.into(),
        // The engine reads these from text, the same everywhere.
        PortType::Number | PortType::Boolean => text.trim().into(),
        PortType::Secret => {
            if file.is_some() {
                return Err(Failure::unusable(format!(
                    "input {} is a secret: give the NAME of a --secret NAME=ENV",
                    input.id
                )));
            }
            serde_json::json!({ "secretRef": std::mem::take(&mut text) })
        }
        PortType::Any => serde_json::from_str(&text).unwrap_or(Json::String(text)),
        // A list of text is often one.
        PortType::List(item) if **item == PortType::Text && !text.trim_start().starts_with('[') => {
            match file {
                Some(_) => text
                    .lines()
                    .filter(|line| !line.trim().is_empty())
                    .collect(),
                None => text.split(',').map(str::trim).collect(),
            }
        }
        other => serde_json::from_str(&text).map_err(|error| {
            Failure::unusable(format!(
                "input {}{}: expected {other} as JSON: {error}",
                input.id,
                from()
            ))
        })?,
    })
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        Failure::unusable(format!("input file {}: {error}", path.display()))
    };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(failed)?;
    let read = file
        .take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if read as u64 > LARGEST {
        return Err(Failure::unusable(format!(
            "input file {} is larger than 64 MiB: give its path, and let a component read it",
            path.display()
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(port_type: &str, text: &str) -> Json {
        let input = RuntimeInput::new("x", port_type.parse().unwrap());
        value(Some(&input), text.to_owned(), None).unwrap()
    }

    #[test]
    fn the_declared_type_decides_how_a_text_is_read() {
        assert_eq!(of("text", "17"), json!("17"));
        assert_eq!(of("any", "17"), json!(17));
        assert_eq!(of("any", "seventeen"), json!("seventeen"));
        assert_eq!(of("json", r#"{"a": [1]}"#), json!({ "a": [1] }));
        assert_eq!(of("list<text>", "a, b"), json!(["a", "b"]));
        assert_eq!(of("list<text>", r#"["a,b"]"#), json!(["a,b"]));
        assert_eq!(of("list<number>", "[1,2]"), json!([1, 2]));
        assert_eq!(of("secret", "TOKEN"), json!({ "secretRef": "TOKEN" }));
    }

    #[test]
    fn what_is_no_json_names_the_input() {
        let input = RuntimeInput::new("hosts", "list<number>".parse().unwrap());
        let failure = value(Some(&input), "1,2".to_owned(), None).unwrap_err();
        let Failure::Unusable(message) = failure else {
            panic!("{failure:?}");
        };
        assert!(
            message.starts_with("input hosts: expected list<number> as JSON"),
            "{message}"
        );
    }

    #[test]
    fn a_secret_given_in_place_of_its_variable_is_not_repeated() {
        let value = concat!("hunter2", "-made-up");
        let failure = secrets(&[format!("TOKEN={value}")]).unwrap_err();
        assert!(!format!("{failure:?}").contains(value));
        let failure = secrets(&[value.to_owned()]).unwrap_err();
        assert!(!format!("{failure:?}").contains(value));
    }
}
