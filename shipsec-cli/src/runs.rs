//! Finding runs.

use std::sync::Arc;

use shipsec_archive::Archive;
use shipsec_core::{
    RunId,
    run::RunView,
    trace::{RunFilter, TraceStore},
};

use crate::{
    args::RunArg,
    calls::is_called,
    failure::Failure,
    workspace::{self, Access},
};

/// Runs that a shortened id is looked for among: the newest ones.
const LOOKED_AT: usize = 10_000;

/// Events that are read at once.
pub(crate) const PAGE: usize = 4096;

/// A run that somebody named, and where its log is.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) id: RunId,
    pub(crate) store: Arc<dyn TraceStore>,
    /// The file, where it is not in a store.
    pub(crate) archive: Option<Archive>,
}

impl Found {
    /// A run of a store.
    pub(crate) fn of(store: &Arc<dyn TraceStore>, id: RunId) -> Self {
        Self {
            id,
            store: store.clone(),
            archive: None,
        }
    }

    /// Finds the run that the arguments name.
    pub(crate) async fn by(argument: &RunArg) -> Result<Self, Failure> {
        if Archive::is_one(&argument.name) {
            let archive = Archive::open(&argument.name).map_err(Failure::unusable)?;
            return Ok(Self {
                id: archive.main_run().clone(),
                store: Arc::new(archive.clone()),
                archive: Some(archive),
            });
        }
        let store = workspace::store(&argument.place, Access::Read)?;
        let name = argument.name.as_str();
        if let Ok(id) = RunId::parse(name)
            && !store
                .read(&id, 0, 1)
                .await
                .map_err(Failure::unusable)?
                .is_empty()
        {
            return Ok(Self::of(&store, id));
        }
        if name == "last" {
            let id = newest(&*store).await?.ok_or_else(|| {
                Failure::unusable(
                    "no run \"last\" is kept here; `shipsec runs` lists those that are",
                )
            })?;
            return Ok(Self::of(&store, id));
        }
        let filter = RunFilter::default().with_limit(LOOKED_AT);
        let runs = store.runs(&filter).await.map_err(Failure::unusable)?;
        let mut fitting = runs
            .into_iter()
            .map(|run| run.run_id)
            .filter(|id| !name.is_empty() && id.as_str().starts_with(name));
        match (fitting.next(), fitting.next()) {
            (Some(id), None) => Ok(Self::of(&store, id)),
            (Some(one), Some(other)) => Err(Failure::unusable(format!(
                "several runs begin with {name:?}, among them {one} and {other}: give more of the id"
            ))),
            (None, _) => Err(Failure::unusable(format!(
                "no run {name:?} is kept here, and it is no archive of a run; `shipsec runs` lists \
                 those that are"
            ))),
        }
    }

    /// Another run of the same store.
    pub(crate) fn other(&self, id: RunId) -> Self {
        Self::of(&self.store, id)
    }

    /// Whether the run has not ended, and no process runs it.
    pub(crate) async fn is_interrupted(&self) -> Result<bool, Failure> {
        let filter = RunFilter::default().interrupted().with_run(self.id.clone());
        let runs = self.store.runs(&filter).await.map_err(Failure::failed)?;
        Ok(!runs.is_empty())
    }

    /// The run after its last event.
    pub(crate) async fn view(&self) -> Result<RunView, Failure> {
        let mut view = RunView::new(self.id.clone());
        loop {
            let page = self.store.read(&self.id, view.sequence, PAGE).await;
            let page = page.map_err(Failure::failed)?;
            let before = view.sequence;
            for event in &page {
                view.apply(event);
            }
            if view.sequence == before {
                return match page.first() {
                    None => Ok(view),
                    Some(event) => Err(Failure::failed(format!(
                        "the log of run {} is damaged: event {} follows event {before}",
                        self.id, event.sequence
                    ))),
                };
            }
        }
    }
}

/// The newest run that no other run called; runs that were called are parts of those that called them.
async fn newest(store: &dyn TraceStore) -> Result<Option<RunId>, Failure> {
    let mut seen = 0;
    let mut limit = 4;
    loop {
        let filter = RunFilter::default().with_limit(limit);
        let runs = store.runs(&filter).await.map_err(Failure::unusable)?;
        for run in runs.iter().skip(seen) {
            if !is_called(store, &run.run_id).await? {
                return Ok(Some(run.run_id.clone()));
            }
        }
        if runs.len() < limit {
            return Ok(None);
        }
        seen = runs.len();
        limit *= 8;
    }
}
