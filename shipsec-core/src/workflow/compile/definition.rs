//! The definition as names, made from the plan and from what of the graph it does not hold.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    super::{
        ActionDefinition, Definition, EdgeDefinition, ForEach, Graph, GraphEdge, GraphNode,
        InputMapping, Mapping, NodeMetadata, Plan, PlanNode, Position, definition::NodeRefName,
        lists::Lists,
    },
    connect::Connected,
};
use crate::{EdgeId, NodeId, PortId, execute::RetrySettings, schedule::EdgeIx};

/// What of a graph the plan itself does not hold: little, and nothing twice, because a plan of a
/// million nodes is made before anybody asks for its definition.
#[derive(Debug)]
pub(crate) struct Source {
    title: String,
    description: Option<String>,
    /// By index of the plan; `None` where nothing is set.
    nodes: Vec<Option<Box<Written>>>,
    /// Each edge with the index of the input that it enters.
    edges: Vec<(EdgeId, Option<u16>)>,
}

/// What was written at a node.
#[derive(Debug)]
struct Written {
    label: Option<String>,
    position: Option<Position>,
    /// An object.
    params: Option<Box<Json>>,
    input_overrides: BTreeMap<PortId, Json>,
    max_concurrency: Option<u32>,
    group_id: Option<String>,
    stream_id: Option<String>,
    retry: Option<RetrySettings>,
    timeout_seconds: Option<f64>,
    for_each: Option<ForEach>,
}

impl Source {
    /// Of a graph in which all edges are connected.
    pub(super) fn new(graph: &Graph, edges: &[(usize, &GraphEdge)], connected: &Connected) -> Self {
        let ids = edges.iter().map(|(_, edge)| edge.id.clone());
        let inputs = connected.edges.iter().map(|link| link.input);
        Self {
            title: graph.name.clone(),
            description: graph.description.clone(),
            nodes: Vec::with_capacity(graph.nodes.len()),
            edges: ids.zip(inputs).collect(),
        }
    }

    /// Adds the next node of the plan, with the copy of its parameters.
    pub(super) fn add(&mut self, node: &GraphNode, params: Option<Box<Json>>) {
        let (data, config) = (&node.data, &node.data.config);
        let nothing = data.label.is_none()
            && node.position.is_none()
            && params.is_none()
            && config.input_overrides.is_empty()
            && config.max_concurrency.is_none()
            && config.group_id.is_none()
            && config.stream_id.is_none()
            && config.retry.is_none()
            && config.timeout_seconds.is_none()
            && config.for_each.is_none();
        let written = (!nothing).then(|| {
            Box::new(Written {
                label: data.label.clone(),
                position: node.position,
                params,
                input_overrides: config.input_overrides.clone(),
                max_concurrency: config.max_concurrency,
                group_id: config.group_id.clone(),
                stream_id: config.stream_id.clone(),
                retry: config.retry.clone(),
                timeout_seconds: config.timeout_seconds,
                for_each: config.for_each.clone(),
            })
        });
        self.nodes.push(written);
    }

    /// The definition of the plan that this belongs to.
    pub(crate) fn definition(&self, plan: &Plan) -> Definition {
        let id = |at: u32| &plan.nodes[at as usize].node.id;
        let edges = (0..).zip(&self.edges).map(|(at, (edge_id, input))| {
            let edge = plan.topology.edge(EdgeIx(at));
            let (source, target) = (
                &plan.nodes[edge.source.0 as usize],
                &plan.nodes[edge.target.0 as usize],
            );
            EdgeDefinition {
                id: edge_id.clone(),
                source_ref: source.node.id.clone(),
                target_ref: target.node.id.clone(),
                source_handle: edge
                    .port
                    .map(|port| source.output_ids[usize::from(port.0)].clone()),
                target_handle: input.map(|input| target.inputs()[usize::from(input)].id.clone()),
                kind: edge.kind,
            }
        });
        let ends = (0..self.edges.len()).map(|at| {
            let edge = plan
                .topology
                .edge(EdgeIx(u32::try_from(at).unwrap_or(u32::MAX)));
            (edge.target.0 as usize, edge.source.0 as usize)
        });
        let sources = Lists::new(plan.nodes.len(), ends);
        let nodes = || plan.nodes.iter().zip(&self.nodes).enumerate();
        // For whom a node was last named among the sources.
        let mut named: Vec<usize> = vec![usize::MAX; plan.nodes.len()];
        let actions = nodes().map(|(at, (node, written))| {
            let first = |source: &&u32| std::mem::replace(&mut named[**source as usize], at) != at;
            let depends_on = sources.of(at).iter().filter(first);
            let depends_on = depends_on.map(|source| id(*source).clone()).collect();
            action(plan, node, written.as_deref(), depends_on)
        });
        Definition {
            version: 1,
            workflow_id: plan.workflow_id.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            entrypoint: NodeRefName {
                node: id(plan.entrypoint.0).clone(),
            },
            nodes: nodes()
                .map(|(_, (node, written))| {
                    (node.node.id.clone(), metadata(node, written.as_deref()))
                })
                .collect(),
            edges: edges.collect(),
            dependency_counts: nodes()
                .map(|(at, (node, _))| {
                    let count = u32::try_from(sources.of(at).len()).unwrap_or(u32::MAX);
                    (node.node.id.clone(), count)
                })
                .collect(),
            actions: actions.collect(),
            config: plan.config.clone(),
        }
    }
}

fn metadata(node: &PlanNode, written: Option<&Written>) -> NodeMetadata {
    NodeMetadata {
        node: node.node.id.clone(),
        label: written.and_then(|written| written.label.clone()),
        join_strategy: node.join,
        max_concurrency: written.and_then(|written| written.max_concurrency),
        group_id: written.and_then(|written| written.group_id.clone()),
        stream_id: written.and_then(|written| written.stream_id.clone()),
        position: written.and_then(|written| written.position),
    }
}

fn action(
    plan: &Plan,
    node: &PlanNode,
    written: Option<&Written>,
    depends_on: Vec<NodeId>,
) -> ActionDefinition {
    let params = written.and_then(|written| written.params.as_ref()?.as_object().cloned());
    let mapping = |mapping: &Mapping| {
        let source = &plan.nodes[mapping.source.0 as usize];
        let from = InputMapping {
            source_ref: source.node.id.clone(),
            source_handle: mapping
                .port
                .map(|port| source.output_ids[usize::from(port)].clone()),
        };
        (node.inputs()[usize::from(mapping.input)].id.clone(), from)
    };
    ActionDefinition {
        node: node.node.id.clone(),
        component_id: node.component.component_id.clone(),
        component_version: node.component.component_version.clone(),
        params: params.unwrap_or_default(),
        input_overrides: written
            .map(|written| written.input_overrides.clone())
            .unwrap_or_default(),
        depends_on,
        input_mappings: node.mappings.iter().map(mapping).collect(),
        retry: written.and_then(|written| written.retry.clone()),
        timeout_seconds: written.and_then(|written| written.timeout_seconds),
        for_each: written.and_then(|written| written.for_each.clone()),
    }
}
