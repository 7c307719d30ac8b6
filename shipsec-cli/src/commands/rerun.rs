//! `shipsec rerun`: a run again, taking over what has not changed.

use std::{path::Path, process::ExitCode};

use super::{
    check::UNUSABLE,
    host::{Host, hosted},
};
use crate::{
    args::{RerunArgs, RunArg},
    diagnostics,
    failure::Failure,
    graph_file::GraphFile,
    inputs,
    runs::Found,
    text::visible,
};

pub(crate) fn rerun(args: &RerunArgs) -> Result<ExitCode, Failure> {
    hosted(async |said| {
        let new = match &args.graph {
            None => None,
            Some(path) => {
                let graph = GraphFile::load(path, &shipsec_components::registry());
                if !graph.problems.is_empty() {
                    anstream::eprint!("{}", diagnostics::report(&graph));
                }
                match graph.compiled {
                    Some(compiled) => Some(compiled.plan),
                    None => return Ok(ExitCode::from(UNUSABLE)),
                }
            }
        };
        let secrets = inputs::secrets(&args.host.secret)?;
        let run = RunArg {
            name: args.name.clone(),
            place: args.host.place.clone(),
        };
        let found = Found::by(&run).await?;
        let graph = args.graph.as_deref();
        let folder = graph.and_then(Path::parent).map(Path::to_owned);
        let names = secrets.clone();
        let host = Host::open(&args.host, secrets, folder, said)?;
        let request = host.executor.request_of(&found.id).await;
        let mut request = request.map_err(Failure::unusable)?;
        if let Some(plan) = new {
            request = request.with_plan(plan);
        }
        let mut before = std::mem::take(&mut request.inputs);
        let declared = request.plan.runtime_inputs();
        before.retain(|id, _| {
            let known = declared.iter().any(|input| input.id == **id);
            if !known {
                let id = visible(id);
                anstream::eprintln!("input {id} is none of the new graph's: left out");
            }
            known
        });
        let given = inputs::inputs_over(
            before,
            &request.plan,
            args.inputs.as_deref(),
            &args.input,
            &names,
        )?;
        request = request.with_inputs(given);
        if let Some(node) = &args.from {
            if !request
                .plan
                .nodes()
                .iter()
                .any(|known| known.node.id == **node)
            {
                let nodes = request.plan.nodes().iter().take(50);
                let nodes: Vec<&str> = nodes.map(|node| node.node.id.as_str()).collect();
                let nodes = nodes.join(", ");
                return Err(Failure::unusable(format!(
                    "--from {node:?}: the workflow has no such node; it has: {nodes}"
                )));
            }
            request = request.again_from(node.as_str());
        }
        if args.cached {
            request = request.cached();
        }
        host.start(request).await
    })
}
