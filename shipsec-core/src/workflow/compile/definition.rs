//! The definition as names, made from the graph when somebody asks for it.

use std::collections::BTreeMap;

use super::super::{
    ActionDefinition, Definition, EdgeDefinition, Graph, GraphEdge, GraphNode, InputMapping,
    NodeMetadata, Plan, definition::NodeRefName,
};
use crate::NodeId;

/// What of the graph the plan itself does not hold.
pub(super) struct Source {
    title: String,
    description: Option<String>,
    nodes: BTreeMap<NodeId, GraphNode>,
    edges: Vec<GraphEdge>,
}

impl Source {
    pub(super) fn new(
        graph: &Graph,
        nodes: &[(usize, &GraphNode)],
        edges: &[(usize, &GraphEdge)],
    ) -> Self {
        Self {
            title: graph.name.clone(),
            description: graph.description.clone(),
            nodes: nodes
                .iter()
                .map(|(_, node)| (node.id.clone(), (*node).clone()))
                .collect(),
            edges: edges.iter().map(|(_, edge)| (*edge).clone()).collect(),
        }
    }

    pub(super) fn definition(&self, plan: &Plan) -> Definition {
        let mut counts: BTreeMap<NodeId, u32> =
            self.nodes.keys().map(|id| (id.clone(), 0)).collect();
        let mut depends: BTreeMap<&NodeId, Vec<NodeId>> = BTreeMap::new();
        for edge in &self.edges {
            *counts.entry(edge.target.clone()).or_default() += 1;
            let sources = depends.entry(&edge.target).or_default();
            if !sources.contains(&edge.source) {
                sources.push(edge.source.clone());
            }
        }
        let metadata = |(id, node): (&NodeId, &GraphNode)| {
            let config = &node.data.config;
            let join = config
                .join_strategy
                .as_deref()
                .and_then(|text| text.parse().ok());
            let metadata = NodeMetadata {
                node: id.clone(),
                label: node.data.label.clone(),
                join_strategy: join.unwrap_or_default(),
                max_concurrency: config.max_concurrency,
                group_id: config.group_id.clone(),
                stream_id: config.stream_id.clone(),
                position: node.position,
            };
            (id.clone(), metadata)
        };
        let edge = |edge: &GraphEdge| EdgeDefinition {
            id: edge.id.clone(),
            source_ref: edge.source.clone(),
            target_ref: edge.target.clone(),
            source_handle: edge.source_handle.clone(),
            target_handle: edge.target_handle.clone(),
            kind: edge.kind,
        };
        let action = |node: &super::super::PlanNode| {
            let id = &node.node.id;
            let config = self
                .nodes
                .get(id)
                .map(|node| node.data.config.clone())
                .unwrap_or_default();
            let mapping = |mapping: &super::super::Mapping| {
                let source = &plan.nodes[mapping.source.0 as usize];
                let input = node.inputs()[usize::from(mapping.input)].id.clone();
                let source_handle = mapping
                    .port
                    .map(|port| source.output_ids[usize::from(port)].clone());
                (
                    input,
                    InputMapping {
                        source_ref: source.node.id.clone(),
                        source_handle,
                    },
                )
            };
            ActionDefinition {
                node: id.clone(),
                component_id: node.component.component_id.clone(),
                component_version: node.component.component_version.clone(),
                params: config.params,
                input_overrides: config.input_overrides,
                depends_on: depends.get(id).cloned().unwrap_or_default(),
                input_mappings: node.mappings.iter().map(mapping).collect(),
                retry: config.retry,
                timeout_seconds: config.timeout_seconds,
            }
        };
        Definition {
            version: 1,
            workflow_id: plan.workflow_id.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            entrypoint: NodeRefName {
                node: plan.nodes[plan.entrypoint.0 as usize].node.id.clone(),
            },
            nodes: self.nodes.iter().map(metadata).collect(),
            edges: self.edges.iter().map(edge).collect(),
            dependency_counts: counts,
            actions: plan.nodes.iter().map(action).collect(),
            config: plan.config.clone(),
        }
    }
}
