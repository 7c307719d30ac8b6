//! `shipsec run`: from a graph to a run that is followed to its end.

use std::{path::Path, process::ExitCode};

use shipsec_core::execute::RunRequest;

use super::{
    check::UNUSABLE,
    host::{Host, hosted},
};
use crate::{args::RunArgs, diagnostics, failure::Failure, graph_file::GraphFile, inputs};

pub(crate) fn run(args: &RunArgs) -> Result<ExitCode, Failure> {
    hosted(async |said| {
        let graph = GraphFile::load(&args.graph.path, &shipsec_components::registry());
        if !graph.problems.is_empty() {
            anstream::eprint!("{}", diagnostics::report(&graph));
        }
        let Some(compiled) = graph.compiled else {
            return Ok(ExitCode::from(UNUSABLE));
        };
        let plan = compiled.plan;
        let secrets = inputs::secrets(&args.host.secret)?;
        let inputs = inputs::inputs(&plan, args.inputs.as_deref(), &args.input, &secrets)?;
        let folder = args.graph.path.parent().map(Path::to_owned);
        let host = Host::open(&args.host, secrets, folder, said)?;
        host.start(RunRequest::new(plan).with_inputs(inputs)).await
    })
}
