//! What the macros make of ordinary structs and functions.

use std::collections::BTreeMap;

use jsonschema::draft202012;
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use shipsec_core::{
    ComponentError, Context, Contract, FileRef, Params, Ports, Secret, Shared, Value, component,
    component::{PortSpec, PortValues, erase},
};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Low,
    High,
}

/// Something found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Contract)]
#[contract(id = "test.finding.v1")]
#[serde(rename_all = "camelCase")]
struct Finding {
    title: String,
    severity: Severity,
    /// What led to it.
    because_of: Vec<Finding>,
}

fn utf8() -> String {
    "utf-8".to_owned()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
struct Probe {
    /// Where to look. One host a line,
    /// or as many as you like.
    ///
    /// Names and addresses both do.
    #[port(lift)]
    target_hosts: Vec<String>,
    /// How many at most.
    #[port(manual_first, default = 100)]
    #[schemars(range(min = 1, max = 1000))]
    at_most: u32,
    /// How bytes are read.
    #[serde(default = "utf8")]
    encoding: String,
    /// A note.
    #[port(label = "Remark")]
    note: Option<String>,
    /// What was found before.
    #[serde(rename = "known")]
    before: Shared<Vec<Finding>>,
    /// Anything.
    anything: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Ports)]
struct Found {
    /// What is there.
    #[port(branching)]
    findings: Option<Vec<Finding>>,
    /// Nothing is there.
    #[port(branching)]
    nothing: Option<bool>,
    /// Counts by name.
    counts: BTreeMap<String, f64>,
    /// The report.
    report: Option<FileRef>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Keyed {
    /// The key.
    key: Secret<String>,
    /// Perhaps another.
    other: Option<Secret<String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase")]
struct Settings {
    /// Which of them.
    severity: Severity,
    /// What to say. At length.
    #[param(editor = "textarea", label = "Message")]
    #[serde(default = "utf8")]
    message_text: String,
    /// How many at once.
    #[serde(default)]
    #[schemars(range(max = 8))]
    at_once: u8,
    /// A token for the service.
    token: Option<Secret<String>>,
    /// What to leave out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    excluded: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", default)]
struct Whole {
    /// One.
    max_hosts: u32,
    /// Two.
    user_agent: String,
}

impl Default for Whole {
    fn default() -> Self {
        Self {
            max_hosts: 7,
            user_agent: "probe".to_owned(),
        }
    }
}

/// Probes hosts. Quietly.
///
/// It does not touch them.
#[component(
    id = "test.probe",
    version = "1.2.3",
    category = "test",
    timeout = "90s",
    heartbeat_timeout = 0.5,
    retry(max_attempts = 5, initial_interval_seconds = 0.5)
)]
async fn probe_hosts(
    input: Probe,
    params: &Settings,
    _: &Context,
) -> Result<Found, ComponentError> {
    let _ = (input, params);
    Ok(found(Vec::new()))
}

fn finding(title: &str) -> Finding {
    Finding {
        title: title.to_owned(),
        severity: Severity::High,
        because_of: Vec::new(),
    }
}

fn found(findings: Vec<Finding>) -> Found {
    Found {
        nothing: findings.is_empty().then_some(true),
        findings: (!findings.is_empty()).then_some(findings),
        counts: BTreeMap::from([("hosts".to_owned(), 0.5)]),
        report: Some(FileRef::new("a.md", "text/markdown", 1, "00", "aa/00")),
    }
}

fn probe() -> Probe {
    let root = Finding {
        because_of: vec![finding("leaf")],
        ..finding("root")
    };
    Probe {
        target_hosts: vec!["a.example".to_owned()],
        at_most: 3,
        encoding: utf8(),
        note: None,
        before: Shared::new(vec![root]),
        anything: Some(Value::new(1_u8)),
    }
}

#[test]
fn a_component_is_described_to_the_last_word() {
    insta::assert_json_snapshot!("definition", **erase(ProbeHosts).definition());
}

#[test]
fn parameters_are_as_serde_reads_them() {
    insta::assert_json_snapshot!("params", (Settings::specs(), Whole::specs()));
    // A graph may leave out what is not required, and then gets what is said to be the default.
    for (specs, read) in [
        (
            Settings::specs(),
            serde_json::from_value::<Settings>(json!({"severity": "low"}))
                .map(|settings| serde_json::to_value(settings).unwrap()),
        ),
        (
            Whole::specs(),
            serde_json::from_value::<Whole>(json!({}))
                .map(|settings| serde_json::to_value(settings).unwrap()),
        ),
    ] {
        let read = read.unwrap();
        for spec in specs.iter().filter(|spec| !spec.required) {
            let empty = json!([]);
            let given = read.get(&*spec.id).filter(|value| !value.is_null());
            // An empty list is left out when written.
            let given = given.or_else(|| (&*spec.id == "excluded").then_some(&empty));
            assert_eq!(spec.default.as_ref(), given, "{}", spec.id);
        }
    }
    assert!(serde_json::from_value::<Settings>(json!({})).is_err());
}

/// Checks each value against the schema of its port, and the whole against that of the whole.
fn assert_fits(specs: &[PortSpec], values: &PortValues, whole: (&Json, &Json)) {
    assert_eq!(specs.len(), values.len());
    for (spec, value) in specs.iter().zip(values.iter()) {
        let Some(value) = value else {
            assert!(!spec.required, "{}", spec.id);
            continue;
        };
        let errors: Vec<_> = draft202012::new(&spec.schema)
            .unwrap_or_else(|error| panic!("schema of {}: {error}", spec.id))
            .iter_errors(value.json().unwrap())
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", spec.id);
    }
    let (schema, value) = whole;
    let whole = draft202012::new(schema).unwrap();
    assert!(whole.is_valid(value), "{schema} {value}");
}

#[test]
fn schemas_stand_alone_and_accept_what_the_types_write() {
    let component = erase(ProbeHosts);
    let definition = component.definition();
    let input = serde_json::to_value(probe()).unwrap();
    assert_fits(
        &definition.inputs,
        &probe().into_values(),
        (&definition.input_schema, &input),
    );
    for found in [found(Vec::new()), found(vec![finding("one")])] {
        let output = serde_json::to_value(&found).unwrap();
        assert_fits(
            &definition.outputs,
            &found.into_values(),
            (&definition.output_schema, &output),
        );
    }
    let keyed = Keyed {
        key: Secret::named("KEY", utf8()),
        other: None,
    };
    let json = serde_json::to_value(&keyed).unwrap();
    let schema = serde_json::to_value(schemars::schema_for!(Keyed)).unwrap();
    assert_fits(&Keyed::specs(), &keyed.into_values(), (&schema, &json));
}

/// A contract and a set of ports in one, which leads back to itself, and to a name that a
/// reference must escape.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Contract, Ports)]
#[contract(id = "test.tree.v1")]
struct Tree {
    /// What hangs below.
    children: Vec<Tree>,
    /// Oddly named.
    odd: Odd,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Contract)]
#[contract(id = "test.odd.v1")]
#[schemars(rename = "odd/na me~100%")]
struct Odd {
    size: u8,
}

#[test]
fn a_schema_that_leads_back_to_the_whole_stands_alone() {
    let leaf = Tree {
        children: Vec::new(),
        odd: Odd { size: 1 },
    };
    let tree = Tree {
        children: vec![leaf.clone()],
        ..leaf
    };
    let json = serde_json::to_value(&tree).unwrap();
    let schema = serde_json::to_value(schemars::schema_for!(Tree)).unwrap();
    let specs = Tree::specs();
    assert_fits(&specs, &tree.into_values(), (&schema, &json));
    let wrong = Value::from(json!([{"children": [{"children": 1}], "odd": {"size": 1}}]));
    assert!(specs[0].check(&wrong).is_err());
    assert!(
        specs[1]
            .check(&Value::from(json!({"size": "large"})))
            .is_err()
    );
}

#[test]
fn a_schema_refuses_what_the_field_refuses() {
    let specs = Probe::specs();
    let refuses = |id: &str, value: Json| {
        let spec = specs.iter().find(|spec| spec.id.as_str() == id).unwrap();
        spec.check(&Value::from(value)).is_err()
    };
    assert!(refuses("atMost", json!(0)));
    let limits = |value: u32| specs[1].check(&Value::new(value));
    assert!(limits(0).is_err() && limits(1000).is_ok() && limits(1001).is_err());
    assert!(!refuses("atMost", json!(1)));
    assert!(refuses(
        "known",
        json!([{"title": "a", "severity": "low", "becauseOf": [1]}])
    ));
    assert!(refuses("targetHosts", json!("one")));
}

#[test]
fn a_port_that_takes_anything_never_asks_for_json() {
    struct NoJson;
    impl Serialize for NoJson {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("asked"))
        }
    }
    let specs = Probe::specs();
    assert_eq!(specs[5].check(&Value::new(NoJson)), Ok(()));
}

#[test]
fn a_port_with_a_default_is_required_nowhere() {
    let component = erase(ProbeHosts);
    let definition = component.definition();
    let required: Vec<_> = definition
        .inputs
        .iter()
        .filter(|port| port.required)
        .map(|port| port.id.as_str())
        .collect();
    assert_eq!(required, ["targetHosts", "known"]);
    assert_eq!(definition.input_schema["required"], json!(required));
    let mut values = probe().into_values();
    values.take(1);
    values.take(2);
    let read = Probe::from_values(values).unwrap();
    assert_eq!((read.at_most, read.encoding.as_str()), (100, "utf-8"));
}

#[test]
fn a_port_that_lacks_its_value_is_named() {
    let mut values = probe().into_values();
    values.take(0);
    assert_eq!(Probe::from_values(values).unwrap_err().port, "targetHosts");
    let mut values = probe().into_values();
    values.set(1, Value::from(json!("many")));
    let error = Probe::from_values(values).unwrap_err();
    assert_eq!(error.port, "atMost");
    assert!(Probe::from_values(PortValues::new()).is_err());
}

#[test]
fn shared_values_cross_without_a_copy() {
    let probe = probe();
    let before = probe.before.clone();
    let read = Probe::from_values(probe.into_values()).unwrap();
    assert!(std::ptr::eq(&*before, &*read.before));
}

fn findings() -> impl Strategy<Value = Vec<Finding>> {
    let leaf = (".{0,8}", any::<bool>()).prop_map(|(title, high)| Finding {
        title,
        severity: if high { Severity::High } else { Severity::Low },
        because_of: Vec::new(),
    });
    let tree = leaf.prop_recursive(3, 12, 3, |inner| {
        (".{0,8}", prop::collection::vec(inner, 0..3)).prop_map(|(title, because_of)| Finding {
            title,
            severity: Severity::Low,
            because_of,
        })
    });
    prop::collection::vec(tree, 0..4)
}

fn probes() -> impl Strategy<Value = Probe> {
    (
        prop::collection::vec(".{0,8}", 0..4),
        1_u32..=1000,
        ".{0,8}",
        prop::option::of(".{0,8}"),
        findings(),
        prop::option::of(any::<i64>()),
    )
        .prop_map(
            |(target_hosts, at_most, encoding, note, before, anything)| Probe {
                target_hosts,
                at_most,
                encoding,
                note,
                before: Shared::new(before),
                anything: anything.map(Value::new),
            },
        )
}

/// The same values as another process gives them: as JSON.
fn through_json(values: &PortValues) -> PortValues {
    values
        .iter()
        .map(|value| value.map(|value| Value::from(value.json().unwrap().clone())))
        .collect()
}

proptest! {
    #[test]
    fn what_is_put_into_slots_comes_out_again(probe in probes(), findings in findings()) {
        let values = probe.clone().into_values();
        let input = serde_json::to_value(&probe).unwrap();
        let component = erase(ProbeHosts);
        let definition = component.definition();
        assert_fits(&definition.inputs, &values, (&definition.input_schema, &input));
        prop_assert_eq!(&Probe::from_values(through_json(&values)).unwrap(), &probe);
        prop_assert_eq!(Probe::from_values(values).unwrap(), probe);
        let found = found(findings);
        let values = found.clone().into_values();
        prop_assert_eq!(&Found::from_values(through_json(&values)).unwrap(), &found);
        prop_assert_eq!(Found::from_values(values).unwrap(), found);
    }
}

/// An author whose own names hide those of the standard library, and to whom the core crate has
/// another name.
mod shadowed {
    #![expect(dead_code, reason = "these names hide others, and do nothing else")]

    pub(super) mod vendored {
        pub(crate) use ::shipsec_core as sdk;
    }
    use vendored::sdk;

    mod std {}
    mod core {}
    mod shipsec_core {}
    mod serde_json {}
    struct Option;
    struct Result;
    struct Vec;
    struct String;
    struct Box;
    struct Value;
    struct PortValues;
    struct Context;
    struct Duration;
    trait Clone {}
    trait Default {}
    trait Debug {}
    trait Copy {}
    trait Send {}
    trait From {}
    #[expect(non_snake_case, reason = "hides the variants")]
    mod variants {
        pub(super) fn None() {}
        pub(super) fn Ok() {}
        pub(super) fn Err() {}
    }
    // Not `Some`, which schemars' own derive takes to be the one of the standard library.
    #[expect(unused_imports, reason = "they hide others, and do nothing else")]
    use variants::{Err, None, Ok};

    #[derive(::serde::Serialize, ::serde::Deserialize, ::schemars::JsonSchema, sdk::Ports)]
    #[ports(crate = vendored::sdk)]
    pub(super) struct In {
        /// A text.
        #[port(default = ::std::string::String::from("text"))]
        text: ::std::string::String,
        /// Perhaps some.
        #[port(lift, manual_first)]
        #[serde(default)]
        many: ::std::option::Option<::std::vec::Vec<Thing>>,
        /// Left.
        #[port(branching)]
        left: ::std::option::Option<bool>,
    }

    #[derive(
        ::std::clone::Clone,
        ::serde::Serialize,
        ::serde::Deserialize,
        ::schemars::JsonSchema,
        sdk::Contract,
    )]
    #[contract(id = "test.thing.v1", crate = vendored::sdk)]
    pub(super) struct Thing {
        size: u8,
    }

    #[derive(
        ::std::clone::Clone,
        ::serde::Serialize,
        ::serde::Deserialize,
        ::schemars::JsonSchema,
        sdk::Params,
    )]
    #[params(crate = "vendored::sdk")]
    pub(super) struct Settings {
        /// A number.
        #[serde(default)]
        number: u8,
        /// A token.
        #[param(editor = "secret")]
        token: ::std::option::Option<sdk::Secret<::std::string::String>>,
    }

    /// Works.
    #[sdk::component(
        crate = vendored::sdk,
        id = "test.shadowed",
        version = "1.0.0",
        category = "test",
        execution = blocking,
        timeout = "1s",
        heartbeat_timeout = "1s",
        retry(max_attempts = 2)
    )]
    pub(super) async fn work(
        input: In,
        _: Settings,
        _: &sdk::Context,
    ) -> ::std::result::Result<In, sdk::ComponentError> {
        ::std::result::Result::Ok(input)
    }
}

#[test]
fn an_authors_own_names_are_in_nobodys_way() {
    let component = erase(shadowed::Work);
    let definition = component.definition();
    assert_eq!(definition.id.as_str(), "test.shadowed");
    assert_eq!(
        definition.inputs[1].port_type.to_string(),
        "list<test.thing.v1>"
    );
    assert_eq!(definition.inputs[0].default, Some(json!("text")));
    assert_eq!(definition.params[1].editor.as_deref(), Some("secret"));
}
