//! Running workflows in this process, and following them to their end: what the commands that run
//! something share.

use std::{
    collections::HashMap, future::Future, io::Write as _, path::PathBuf, process::ExitCode,
    sync::Arc, time::Duration,
};

use futures::{
    StreamExt as _,
    stream::{BoxStream, SelectAll},
};
use shipsec_core::{
    RunId,
    context::NodeLogLayer,
    event::{Event, EventKind, Trigger, WorkflowStatus},
    execute::{Executor as _, LocalExecutor, RunHandle, RunOutcome, RunRequest},
    run::RunView,
    trace::{StoreError, TraceStore, TraceStoreExt as _},
    workflow::FolderWorkflows,
};
use tokio::sync::mpsc::UnboundedReceiver;
use tracing_subscriber::layer::SubscriberExt as _;

use super::resume::interrupted;
use crate::{
    args::{HostArgs, Output, Place},
    calls,
    failure::Failure,
    inputs::Secrets,
    notices::Notices,
    render::{Ending, Tails, View, failed},
    runs::{Found, PAGE},
    workspace::{self, Access, Artifacts},
};

/// The exit code of a run that somebody interrupted.
pub(super) const INTERRUPTED: u8 = 130;

/// How long a run that was killed has to record that.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Lets a command run workflows; it is given what the library says beside the log.
pub(super) fn hosted<F>(
    command: impl FnOnce(UnboundedReceiver<String>) -> F,
) -> Result<ExitCode, Failure>
where
    F: Future<Output = Result<ExitCode, Failure>>,
{
    // What components say with `tracing` goes into the log.
    let (notices, said) = Notices::new();
    let subscriber = tracing_subscriber::registry()
        .with(NodeLogLayer::new())
        .with(notices);
    tracing::subscriber::set_global_default(subscriber).map_err(Failure::failed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(Failure::failed)?;
    let code = runtime.block_on(command(said));
    // A component that blocks for ever must not keep the command from ending.
    runtime.shutdown_timeout(Duration::from_millis(100));
    code
}

/// An executor on the workspace's store, and how its runs are shown.
pub(super) struct Host {
    pub(super) store: Arc<dyn TraceStore>,
    pub(super) executor: LocalExecutor,
    artifacts: Artifacts,
    /// Of the workflows that others call.
    folder: PathBuf,
    output: Output,
    place: String,
    interrupts: Interrupts,
    said: UnboundedReceiver<String>,
}

impl Host {
    /// What the arguments ask for. Workflows that are called are looked for in `folder`, unless the
    /// arguments name another.
    pub(super) fn open(
        args: &HostArgs,
        secrets: Secrets,
        folder: Option<PathBuf>,
        said: UnboundedReceiver<String>,
    ) -> Result<Self, Failure> {
        // From here on nobody ends the process in the middle of something.
        let interrupts = Interrupts::new()?;
        let store = workspace::store(&args.place, Access::Write)?;
        let artifacts = Artifacts::open(&args.place, Access::Write)?;
        let folder = args.workflows.clone().or(folder);
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| PathBuf::from("."));
        let executor = LocalExecutor::builder(store.clone())
            .artifacts(artifacts.store.clone())
            .secrets(Arc::new(secrets.source))
            .registry(Arc::new(shipsec_components::registry()))
            .workflows(Arc::new(FolderWorkflows::new(&folder)))
            .store_patience(Duration::from_secs(args.store_patience.into()))
            .build();
        Ok(Self {
            store,
            executor,
            artifacts,
            folder,
            output: args.output,
            place: place(&args.place),
            interrupts,
            said,
        })
    }

    /// Whether standard output is for the log of the run alone.
    pub(super) fn is_log(&self) -> bool {
        self.output == Output::Jsonl
    }

    /// Whether the workflows that a run is still to call are there. Without them it would fail, and not
    /// be gone on with any more.
    pub(super) async fn has_workflows_of(&self, run: &RunView) -> Result<(), Failure> {
        let how = format!(
            "shipsec resume {}{} --workflows FOLDER",
            run.run_id, self.place
        );
        let source = FolderWorkflows::new(&self.folder);
        calls::can_go_on(
            &Found::of(&self.store, run.run_id.clone()),
            run,
            &source,
            &how,
        )
        .await
    }

    /// Goes on with every run that was interrupted.
    pub(super) async fn resume_interrupted(
        &self,
    ) -> Result<Vec<Result<RunHandle, Failure>>, Failure> {
        let how = format!("shipsec resume --all{} --workflows FOLDER", self.place);
        interrupted(&self.executor, &FolderWorkflows::new(&self.folder), &how).await
    }

    /// Waits until somebody asks the command to end.
    pub(super) async fn interrupted(&mut self) {
        self.interrupts.next().await;
    }

    /// Starts a run, and follows it to its end.
    pub(super) async fn start(self, request: RunRequest) -> Result<ExitCode, Failure> {
        let trigger = Trigger {
            kind: "cli".to_owned(),
            label: None,
        };
        let title = match request.plan.definition().title.as_str() {
            "" => request.plan.workflow_id().to_string(),
            title => title.to_owned(),
        };
        let request = request.with_trigger(trigger);
        let run = self.executor.start(request).await;
        let run = run.map_err(Failure::unusable)?;
        let view = RunView::new(run.id().clone());
        self.follow(run, &title, view).await
    }

    /// Follows a run to its end, from where `view` has come.
    pub(super) async fn follow(
        self,
        run: RunHandle,
        title: &str,
        view: RunView,
    ) -> Result<ExitCode, Failure> {
        let mut shown = View::new(self.output, title, run.id().as_str(), &self.place)?;
        shown.begin(&view)?;
        let mut following = Following {
            view,
            shown: &mut shown,
            interrupts: self.interrupts,
            said: self.said,
            called: HashMap::new(),
            asked: 0,
        };
        let outcome = following.follow(&self.store, &run).await?;
        let Following { view, asked, .. } = following;
        shown.end()?;
        if !shown.is_log() {
            tell_end(&self.place, &view, &self.store, &self.artifacts).await?;
        }
        if let Some(error) = &outcome.unrecorded {
            return Err(Failure::failed(format!(
                "the end of run {} could not be recorded: {error}; what is recorded is intact",
                run.id()
            )));
        }
        Ok(ExitCode::from(match (asked, outcome.status) {
            (1.., _) => INTERRUPTED,
            (0, WorkflowStatus::Completed) => 0,
            (0, _) => 1,
        }))
    }
}

/// The log of a run that was called, some events at a time.
type Called = BoxStream<'static, Vec<Result<Event, StoreError>>>;

/// A run, and whoever watches it.
struct Following<'a> {
    view: RunView,
    shown: &'a mut View,
    interrupts: Interrupts,
    /// What the library says beside the log.
    said: UnboundedReceiver<String>,
    /// The runs that it called, and those that these called.
    called: HashMap<RunId, RunView>,
    /// How often somebody asked it to stop.
    asked: u32,
}

impl Following<'_> {
    /// Shows the run until its log has ended.
    async fn follow(
        &mut self,
        store: &Arc<dyn TraceStore>,
        run: &RunHandle,
    ) -> Result<Arc<RunOutcome>, Failure> {
        let after = self.view.sequence;
        let mut events = store.subscribe(run.id().clone(), after).ready_chunks(PAGE);
        let mut ticks =
            tokio::time::interval(self.shown.tick().unwrap_or(Duration::from_secs(3600)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut outcome: Option<Arc<RunOutcome>> = None;
        let mut called = SelectAll::new();
        loop {
            tokio::select! {
                some = events.next() => {
                    let Some(some) = some else { break };
                    for event in some {
                        let event = event.map_err(Failure::failed)?;
                        self.view.apply(&event);
                        self.shown.event(&self.view, &event)?;
                        called.extend(self.call(store, &event));
                    }
                    self.shown.refresh(&self.view)?;
                }
                Some(some) = called.next(), if !called.is_empty() => {
                    // One that cannot be read is not what is followed here.
                    let some: Vec<Event> = some.into_iter().filter_map(Result::ok).collect();
                    for event in &some {
                        called.extend(self.call(store, event));
                        if let Some(view) = self.called.get_mut(&event.run_id) {
                            view.apply(event);
                        }
                    }
                    let view = some.first().and_then(|event| self.called.get(&event.run_id));
                    if let Some(view) = view {
                        self.shown.called(view, &some)?;
                        if view.status.is_final() {
                            let run = view.run_id.clone();
                            self.called.insert(run.clone(), RunView::new(run));
                        }
                    }
                }
                ended = run.wait(), if outcome.is_none() => {
                    // The log ends with the run, unless it could not be written.
                    let unrecorded = ended.unrecorded.is_some();
                    outcome = Some(ended);
                    if unrecorded {
                        break;
                    }
                }
                () = self.interrupts.next() => {
                    self.asked += 1;
                    if !self.stop(run).await {
                        break;
                    }
                }
                Some(notice) = self.said.recv() => self.shown.note(&notice),
                _ = ticks.tick() => self.shown.pass(&self.view)?,
            }
        }
        Ok(match outcome {
            Some(outcome) => outcome,
            None => run.wait().await,
        })
    }

    /// The log of a run that an event says was called: somebody may be asked there.
    fn call(&mut self, store: &Arc<dyn TraceStore>, event: &Event) -> Option<Called> {
        let EventKind::NodeChildStarted(child) = &event.kind else {
            return None;
        };
        let run = &child.run_id;
        if self.shown.is_log() || self.called.contains_key(run) {
            return None;
        }
        self.called.insert(run.clone(), RunView::new(run.clone()));
        let events = store.subscribe(run.clone(), 0).ready_chunks(PAGE);
        Some(events.boxed())
    }

    /// First with clean-up, then without; and then at once, whatever the run does.
    async fn stop(&mut self, run: &RunHandle) -> bool {
        match self.asked {
            1 => {
                run.cancel("interrupted");
                self.shown
                    .note("interrupted: the run is being cancelled; interrupt again to kill it");
                true
            }
            2 => {
                run.terminate("killed");
                self.shown.note("killed");
                let ended = tokio::time::timeout(LAST_WORDS, run.wait()).await.is_ok();
                if !ended {
                    self.leave();
                }
                ended
            }
            _ => self.leave(),
        }
    }

    /// Leaves the process: what was acknowledged is stored already.
    fn leave(&mut self) -> ! {
        // Whether the terminal can be told or not, there is nothing left to do.
        let _ = self.shown.end();
        std::process::exit(INTERRUPTED.into())
    }
}

/// Says how it ended.
async fn tell_end(
    place: &str,
    view: &RunView,
    store: &Arc<dyn TraceStore>,
    artifacts: &Artifacts,
) -> Result<(), Failure> {
    let nodes = failed(view);
    let mut tails = Tails::of(&nodes);
    let mut after = 0;
    while !nodes.is_empty() {
        let page = store
            .read(&view.run_id, after, PAGE)
            .await
            .map_err(Failure::failed)?;
        let Some(last) = page.last() else { break };
        after = last.sequence;
        page.iter().for_each(|event| tails.event(event));
    }
    let mut kept = Vec::new();
    for artifact in view.artifacts() {
        let path = artifacts.path_by_name(view.run_id.as_str(), artifact);
        kept.push((artifact, path.map_err(Failure::failed)?));
    }
    let ending = Ending {
        view,
        artifacts: kept,
        logs: tails.lines(nodes),
        place: place.to_owned(),
    };
    let mut text = Vec::new();
    ending.write(&mut text).map_err(Failure::failed)?;
    match anstream::stdout()
        .write_all(&text)
        .map_err(Failure::writing)
    {
        Err(Failure::NobodyReads) => Ok(()),
        written => written,
    }
}

/// The arguments that name the same store to other commands.
fn place(place: &Place) -> String {
    let store = place.store.iter().map(|url| format!(" --store {url}"));
    store.collect()
}

/// Ctrl-C, and being asked to end.
pub(super) struct Interrupts {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 3],
}

#[cfg(unix)]
impl Interrupts {
    pub(super) fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen =
            |kind| signal(kind).map_err(|error| Failure::failed(format!("signals: {error}")));
        Ok(Self {
            signals: [
                listen(SignalKind::interrupt())?,
                listen(SignalKind::terminate())?,
                listen(SignalKind::hangup())?,
            ],
        })
    }

    pub(super) async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Interrupts {
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self {})
    }

    pub(super) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
