//! `shipsec serve`: the HTTP API and the live view, over the runs of a workspace.

use std::{io::Write as _, net::SocketAddr, path::Path, process::ExitCode, sync::Arc};

use shipsec_core::{execute::LocalExecutor, trace::RunFilter};
use shipsec_studio::{Access, Host, Limits, WorkflowFolder};
use tokio::net::TcpListener;

use super::{
    host::{Interrupts, hosted},
    resume::interrupted,
};
use crate::{
    args::ServeArgs,
    failure::Failure,
    inputs,
    workspace::{self, Access as Open, Artifacts, FOLDER},
};

/// Runs that are gone on with at the start.
const MOST: usize = 1000;

pub(crate) fn serve(args: &ServeArgs) -> Result<ExitCode, Failure> {
    hosted(async |mut said| {
        let token = token(args)?;
        let access = access(args, token.clone())?;
        // An address that is taken is known before anything is made.
        let listener = TcpListener::bind(args.bind).await.map_err(|error| {
            Failure::unusable(format!(
                "--bind {}: {error}; give another address or port",
                args.bind
            ))
        })?;
        let address = listener.local_addr().map_err(Failure::failed)?;
        let mut interrupts = Interrupts::new()?;
        let secrets = inputs::secrets(&args.secret)?;
        let store = workspace::store(&args.place, Open::Write)?;
        let artifacts = Artifacts::open(&args.place, Open::Write)?;
        let folder = match &args.workflows {
            Some(folder) => folder.clone(),
            None => {
                workspace::make_folder()?;
                Path::new(FOLDER).join("workflows")
            }
        };
        let workflows = Arc::new(WorkflowFolder::new(folder));
        let registry = Arc::new(shipsec_components::registry());
        // What this process knows is in its environment, where workflows can read it.
        let hidden = secrets.values.into_iter();
        let hidden = hidden.map(|(name, value)| (Some(name), value));
        let hidden = hidden.chain(token.map(|token| (None, token)));
        let executor = hidden
            .fold(
                LocalExecutor::builder(store.clone()),
                |builder, (name, value)| builder.hide(name, value),
            )
            .artifacts(artifacts.store.clone())
            .secrets(Arc::new(secrets.source))
            .registry(registry.clone())
            .workflows(workflows.clone())
            .build();
        if args.resume {
            resume(&executor, &workflows).await?;
        }
        let host = Host::local(&executor, registry)
            .with_workflows(workflows)
            .with_access(access)
            .with_limits(limits(args));
        tell(address)?;
        tokio::spawn(async move {
            while let Some(notice) = said.recv().await {
                anstream::eprintln!("{}", crate::text::visible(&notice));
            }
        });
        let served = shipsec_studio::serve(listener, host, interrupts.next()).await;
        served.map_err(Failure::unusable)?;
        let filter = RunFilter::default().with_limit(MOST);
        let runs = store.runs(&filter).await.map_err(Failure::failed)?;
        let mut going = 0;
        for run in runs.iter().filter(|run| !run.status.is_final()) {
            use shipsec_core::execute::Executor as _;
            going += usize::from(executor.handle(&run.run_id).await.is_some());
        }
        if going > 0 {
            anstream::eprintln!(
                "{going} runs had not ended: `shipsec resume --all`, or `shipsec serve --resume`, goes \
                 on with them"
            );
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn limits(args: &ServeArgs) -> Limits {
    let mut limits = Limits::default();
    if let Some(bytes) = args.max_body {
        limits = limits.with_body(bytes);
    }
    if let Some(rate) = args.max_rate {
        limits = limits.with_rate(rate, rate.saturating_add(rate.get()));
    }
    if let Some(streams) = args.max_streams {
        limits = limits.with_streams(streams);
    }
    if let Some(connections) = args.max_connections {
        limits = limits.with_connections(connections);
        let of_one = limits.connections_per_address.min(connections);
        limits = limits.with_connections_per_address(of_one);
    }
    limits
}

fn token(args: &ServeArgs) -> Result<Option<String>, Failure> {
    match &args.token_file {
        Some(path) => read_token(path).map(Some),
        None => Ok(args.token.clone()),
    }
}

/// Who may ask: this machine alone, or whoever has the token.
fn access(args: &ServeArgs, token: Option<String>) -> Result<Access, Failure> {
    let access = match token {
        Some(token) => Access::token(token).map_err(Failure::unusable)?,
        None if !args.bind.ip().is_loopback() => {
            return Err(Failure::unusable(format!(
                "--bind {}: everybody who reaches this address could run workflows here, which read and \
                 write files as you can; give a token with --token-file FILE or in SHIPSEC_TOKEN, or bind to 127.0.0.1",
                args.bind
            )));
        }
        None => Access::loopback(),
    };
    let names = args.allow_host.iter();
    Ok(names.fold(access, |access, name| access.with_name(name)))
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::unusable(format!("--token-file {}: {error}", path.display())))?;
    Ok(text.trim().to_owned())
}

fn tell(address: SocketAddr) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "ShipSec Studio: http://{address}/ (Ctrl-C ends it)")
        .and_then(|()| out.flush())
        .map_err(Failure::writing)
}

/// Goes on with the runs that nobody runs, and says which cannot be.
async fn resume(executor: &LocalExecutor, workflows: &WorkflowFolder) -> Result<(), Failure> {
    let how = "shipsec resume --all --workflows FOLDER";
    for handle in interrupted(executor, workflows, how).await? {
        match handle {
            Ok(handle) => anstream::eprintln!("going on with run {}", handle.id()),
            Err(failure) => failure.tell(),
        }
    }
    Ok(())
}
