//! `dagrs`: a flow graph whose nodes are tokio tasks that talk through channels.

use std::sync::Arc;

use dagrs::async_trait::async_trait;
use dagrs::{
    Action, Content, DefaultNode, EnvVar, InChannels, Node as _, NodeId, NodeTable, OutChannels,
    Output,
};
use shipsec_benches::Failure;
use shipsec_benches::graph::Graph;
use shipsec_benches::harness::Sample;
use tokio::runtime::Runtime;

/// Builds `graph`, runs it on `runtime` and verifies the report and the value of every node.
///
/// # Errors
///
/// When dagrs fails, a node did not succeed, or a value is not the level that its node has.
pub fn run(runtime: &Runtime, graph: &Graph) -> Result<Sample, Failure> {
    let mut ids = Vec::new();
    let (sample, flow, report) = Sample::take(
        || {
            let (flow, built) = build(graph)?;
            ids = built;
            Ok(flow)
        },
        |flow| Ok(runtime.block_on(flow.async_start())?),
    )?;
    if report.node_succeeded != graph.len() {
        return Err(format!("{} of {} nodes ran", report.node_succeeded, graph.len()).into());
    }
    let values = flow.get_results::<u64>();
    for (id, level) in ids.iter().zip(graph.levels()) {
        let value = values.get(id).and_then(|value| value.as_deref().copied());
        if value != Some(level) {
            return Err(format!("node {id:?} has the value {value:?}, expected {level}").into());
        }
    }
    Ok(sample)
}

fn build(graph: &Graph) -> Result<(dagrs::Graph, Vec<NodeId>), Failure> {
    let mut table = NodeTable::new();
    let mut flow = dagrs::Graph::new();
    let mut ids = Vec::with_capacity(graph.len());
    for node in graph.nodes() {
        let node = DefaultNode::with_action(node.to_string(), Level, &mut table);
        ids.push(node.id());
        flow.add_node(node)?;
    }
    for node in graph.nodes() {
        let children = graph.children(node);
        if !children.is_empty() {
            let children: Vec<NodeId> = children.iter().map(|&child| ids[child as usize]).collect();
            flow.add_edge(ids[node as usize], children)?;
        }
    }
    flow.set_env(EnvVar::new(table));
    Ok((flow, ids))
}

struct Level;

#[async_trait]
impl Action for Level {
    async fn run(
        &self,
        inputs: &mut InChannels,
        outputs: &mut OutChannels,
        _: Arc<EnvVar>,
    ) -> Output {
        let levels = inputs.map(|input| input.ok()?.into_inner::<u64>()).await;
        let mut highest = 0;
        for level in levels {
            match level {
                Some(level) => highest = highest.max(*level),
                None => return Output::execution_failed("an input is not a level"),
            }
        }
        let value = Content::new(highest + 1);
        outputs.broadcast(value.clone()).await;
        Output::Out(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shipsec_benches::graph::Shape;

    #[test]
    fn every_shape_runs_to_its_end() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        for shape in Shape::ALL {
            run(&runtime, &shape.graph(200)).unwrap();
        }
    }
}
