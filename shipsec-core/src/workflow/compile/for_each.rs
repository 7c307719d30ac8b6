//! Whether a node can run once for each item of a list.

use super::{
    super::{Code, Diagnostics, ForEach, GraphNode, ItemFailure, diagnostic::quoted},
    bind::{Ports, near_port, positive, unknown_port},
};
use crate::{
    component::{ComponentDefinition, PortSpec, PortType},
    execute::FAILURES,
};

/// Reports why a node cannot run once for each item.
pub(super) fn check(
    place: usize,
    node: &GraphNode,
    for_each: &ForEach,
    definition: &ComponentDefinition,
    found: &mut Diagnostics,
) {
    let at = |rest: &str| format!("/nodes/{place}/data/config/forEach{rest}");
    if for_each.concurrency == Some(0) {
        positive(&at("/concurrency"), found);
    }
    let id = quoted(node.id.as_str());
    let mut refuse = |path: String, message: String, suggestion: &str| {
        found.error(
            Code::InvalidForEach,
            path,
            message,
            Some(suggestion.to_owned()),
        );
    };
    if definition.entrypoint {
        let message = format!("node {id} is the entry point, which runs once");
        refuse(at(""), message, "put forEach at a node after it");
    }
    let branching = definition.outputs.iter().find(|port| port.branching);
    if let Some(port) = branching {
        let message = format!(
            "node {id} branches, by port {}: one item could go one way and the next another",
            port.id
        );
        refuse(
            at(""),
            message,
            "collect first, and branch on the list in a node of its own",
        );
    }
    let secret = |port: &&PortSpec| port.port_type == PortType::Secret;
    if let Some(port) = definition.outputs.iter().find(secret) {
        let message = format!(
            "node {id} gives a secret, by port {}: there is no list of secrets",
            port.id
        );
        refuse(at(""), message, "fetch secrets in nodes of their own");
    }
    if let Some(port) = definition
        .outputs
        .iter()
        .find(|port| for_each.on_failure == ItemFailure::Collect && port.id == FAILURES)
    {
        let message = format!("node {id} has an output {} of its own", port.id);
        refuse(
            at("/onFailure"),
            message,
            "let the failure of an item fail the node",
        );
    }
    let input = definition
        .inputs
        .iter()
        .find(|port| port.id == for_each.input);
    match input {
        Some(port) if port.port_type == PortType::Secret => {
            let message = format!(
                "input {} of node {id} is a secret: there is no list of them",
                port.id
            );
            refuse(at("/input"), message, "name another input");
        }
        None if !definition.dynamic_ports => {
            let ports = Ports::new(&definition.inputs);
            let message = unknown_port("input", &for_each.input, node, &ports);
            let suggestion = near_port(&for_each.input, &ports, found);
            found.error(Code::UnknownPort, at("/input"), message, suggestion);
        }
        _ => {}
    }
}
