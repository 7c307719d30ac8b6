//! A host with a component of its own that has state, a workflow from the typed builder, and a
//! trace store of its own: one file of JSON lines for each run.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::component::{Component, ComponentInfo};
use shipsec_core::event::{Event, Record};
use shipsec_core::execute::{Executor, LocalExecutor, RunRequest};
use shipsec_core::run::{RunOutputs, RunView};
use shipsec_core::trace::{
    AppendError, Appended, Capabilities, Lease, LeaseError, LeaseState, RunFilter, RunSummary,
    StoreError, StoreErrorKind, TraceStore, TraceStoreExt as _,
};
use shipsec_core::workflow::{EntryPoint, WorkflowBuilder, compile};
use shipsec_core::{
    ComponentError, Context, NoParams, NodeId, Params, Ports, Registry, RunId, component,
};
use tokio::sync::Notify;

// The component: it looks things up in what the host already has.

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Hosts {
    /// Names of hosts.
    hosts: Vec<String>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Owners {
    /// Who owns which host.
    owners: BTreeMap<String, String>,
}

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
struct LookUp {
    /// Who owns a host that the inventory does not have.
    #[serde(default)]
    otherwise: String,
}

/// Finds the owners of hosts in the inventory of this program.
struct Inventory(HashMap<&'static str, &'static str>);

impl Component for Inventory {
    type Input = Hosts;
    type Params = LookUp;
    type Output = Owners;

    fn info(&self) -> ComponentInfo {
        ComponentInfo::new("host.inventory", "1.0.0").described(
            "Inventory",
            "Finds the owners of hosts.",
            "host",
        )
    }

    async fn run(
        &self,
        input: Hosts,
        params: &LookUp,
        cx: &Context,
    ) -> Result<Owners, ComponentError> {
        let mut owners = BTreeMap::new();
        for host in input.hosts {
            let owner = self.0.get(host.as_str()).copied().unwrap_or_else(|| {
                cx.warn(format!("{host} is not in the inventory"));
                &params.otherwise
            });
            owners.insert(host, owner.to_owned());
        }
        Ok(Owners { owners })
    }
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Letter {
    /// One line for each host.
    text: String,
}

/// Writes to the owners.
#[component(id = "host.letter", version = "1.0.0", category = "host")]
async fn write_letter(input: Owners, _: NoParams, _: &Context) -> Result<Letter, ComponentError> {
    let line = |(host, owner): (&String, &String)| format!("{owner}, please look at {host}");
    let lines: Vec<_> = input.owners.iter().map(line).collect();
    Ok(Letter {
        text: lines.join("; "),
    })
}

// The store. What it promises stands on the trait.

/// Keeps each run in a file of JSON lines, for one process at a time. An event is durable once
/// the operating system has written it to the disk, which the calling thread waits for.
#[derive(Debug)]
struct JsonLines {
    folder: PathBuf,
    logs: Mutex<HashMap<RunId, Log>>,
    /// Beyond the epochs of runs that were removed: who held one cannot write the next of its id.
    removed: AtomicU64,
    grown: Notify,
}

#[derive(Debug)]
struct Log {
    file: File,
    events: Vec<Event>,
    /// The producer keys, so that appending twice stores once.
    known: HashSet<(Option<NodeId>, u32, u32)>,
    lease: LeaseState,
}

fn key(record: &Record) -> (Option<NodeId>, u32, u32) {
    (record.node_id().cloned(), record.attempt, record.counter)
}

impl Log {
    fn open(path: &Path, removed: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(path)?;
        let text = fs::read_to_string(path)?;
        // A line without its end is one whose write was cut off, and was never promised.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        let events = text[..whole].lines().map(serde_json::from_str);
        let events = events.collect::<Result<Vec<Event>, _>>()?;
        let known = events.iter().map(|event| key(event)).collect();
        Ok(Self {
            file,
            events,
            known,
            lease: LeaseState::beyond(removed),
        })
    }

    /// Appends all records or none.
    fn append(&mut self, run: &RunId, records: &[Record]) -> io::Result<Appended> {
        let mut known = HashSet::new();
        let fresh = records.iter().filter(|record| {
            let key = key(record);
            !self.known.contains(&key) && known.insert(key)
        });
        let events: Vec<Event> = (self.events.len() as u64 + 1..)
            .zip(fresh)
            .map(|(sequence, record)| Event {
                run_id: run.clone(),
                sequence,
                record: record.clone(),
            })
            .collect();
        let mut text = Vec::new();
        for event in &events {
            serde_json::to_writer(&mut text, event)?;
            text.push(b'\n');
        }
        let before = self.file.metadata()?.len();
        if let Err(error) = self
            .file
            .write_all(&text)
            .and_then(|()| self.file.sync_data())
        {
            self.file.set_len(before)?;
            return Err(error);
        }
        let stored = events.len();
        self.known.extend(known);
        self.events.extend(events);
        Ok(Appended::new(
            self.events.len() as u64,
            stored,
            records.len() - stored,
        ))
    }
}

impl JsonLines {
    fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            logs: Mutex::default(),
            removed: AtomicU64::default(),
            grown: Notify::new(),
        })
    }

    fn logs(&self) -> MutexGuard<'_, HashMap<RunId, Log>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, run: &RunId) -> PathBuf {
        // A run id is safe in a path.
        self.folder.join(format!("{run}.jsonl"))
    }

    /// Does something with the log of a run; `None` where there is none.
    fn with<T>(
        &self,
        logs: &mut HashMap<RunId, Log>,
        run: &RunId,
        create: bool,
        act: impl FnOnce(&mut Log) -> io::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let path = self.path(run);
        let done = (|| {
            if !logs.contains_key(run) {
                if !create && !path.exists() {
                    return Ok(None);
                }
                let removed = self.removed.load(Ordering::Relaxed);
                logs.insert(run.clone(), Log::open(&path, removed)?);
            }
            logs.get_mut(run).map(act).transpose()
        })();
        done.map_err(|error| {
            let kind = match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    StoreErrorKind::Corrupt
                }
                io::ErrorKind::PermissionDenied => StoreErrorKind::Denied,
                _ => StoreErrorKind::Unavailable,
            };
            StoreError::new(kind, format!("{}: {error}", path.display())).with_source(error)
        })
    }
}

impl JsonLines {
    /// Does something with the log of a run, which is made where there is none.
    fn log<T>(
        &self,
        run: &RunId,
        act: impl FnOnce(&mut Log) -> io::Result<T>,
    ) -> Result<T, StoreError> {
        let done = self.with(&mut self.logs(), run, true, act)?;
        done.ok_or_else(|| StoreError::new(StoreErrorKind::Other, format!("no log of run {run}")))
    }

    /// Removes a run, unless its log says otherwise; `None` where there is none.
    fn remove_unless<E>(
        &self,
        run: &RunId,
        refused: impl FnOnce(&Log) -> Option<E>,
    ) -> Result<Option<Result<bool, E>>, StoreError> {
        let path = self.path(run);
        let remove = |log: &mut Log| {
            if let Some(error) = refused(log) {
                return Ok(Err(error));
            }
            fs::remove_file(path)?;
            self.removed
                .fetch_max(log.lease.next_epoch(), Ordering::Relaxed);
            Ok(Ok(!log.events.is_empty()))
        };
        let mut logs = self.logs();
        let removed = self.with(&mut logs, run, false, remove)?;
        if matches!(removed, Some(Ok(_))) {
            logs.remove(run);
        }
        Ok(removed)
    }

    fn append_checked(
        &self,
        run: &RunId,
        records: Vec<Record>,
        check: impl FnOnce(&Log) -> Result<(), StoreError>,
    ) -> Result<Appended, AppendError> {
        let append = |log: &mut Log| match check(log) {
            Ok(()) => log.append(run, &records).map(Ok),
            Err(fenced) => Ok(Err(fenced)),
        };
        match self.log(run, append).flatten() {
            Ok(appended) => {
                self.grown.notify_waiters();
                Ok(appended)
            }
            Err(error) => Err(AppendError { error, records }),
        }
    }
}

#[async_trait]
impl TraceStore for JsonLines {
    fn capabilities(&self) -> Capabilities {
        Capabilities::DURABLE
    }

    async fn append(&self, run: &RunId, records: Vec<Record>) -> Result<Appended, AppendError> {
        self.append_checked(run, records, |_| Ok(()))
    }

    async fn append_as(
        &self,
        lease: &Lease,
        records: Vec<Record>,
    ) -> Result<Appended, AppendError> {
        self.append_checked(&lease.run_id, records, |log| log.lease.check(lease))
    }

    // One process has these files: its leases need not outlive it.

    async fn acquire(&self, run: &RunId, holder: &str, ttl: Duration) -> Result<Lease, LeaseError> {
        let acquire = |log: &mut Log| {
            let last = log.events.len() as u64;
            Ok(log.lease.acquire(run, holder, ttl, last))
        };
        self.log(run, acquire)?
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<(), StoreError> {
        self.log(&lease.run_id, |log| Ok(log.lease.renew(lease, ttl)))?
    }

    async fn remove(&self, run: &RunId) -> Result<bool, LeaseError> {
        let removed = self.remove_unless(run, |log| log.lease.held(run))?;
        removed.unwrap_or(Ok(false))
    }

    async fn remove_as(&self, lease: &Lease) -> Result<bool, StoreError> {
        let refused = |log: &Log| log.lease.check(lease).err();
        let removed = self.remove_unless(&lease.run_id, refused)?;
        removed.unwrap_or_else(|| Err(lease.fenced()))
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.log(&lease.run_id, |log| {
            log.lease.release(lease);
            Ok(())
        })
    }

    async fn read(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let skip = usize::try_from(after).unwrap_or(usize::MAX);
        let page = |log: &mut Log| Ok(log.events.iter().skip(skip).take(limit).cloned().collect());
        let read = self.with(&mut self.logs(), run, false, page)?;
        Ok(read.unwrap_or_default())
    }

    async fn wait_beyond(&self, run: &RunId, after: u64) -> Result<u64, StoreError> {
        loop {
            // Listen before looking, so that nothing is missed in between.
            let mut grown = std::pin::pin!(self.grown.notified());
            grown.as_mut().enable();
            let last = |log: &mut Log| Ok(log.events.len() as u64);
            let last = self.with(&mut self.logs(), run, false, last)?;
            if let Some(last) = last.filter(|last| *last > after) {
                return Ok(last);
            }
            grown.await;
        }
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        let unreadable = |error: io::Error| {
            let message = format!("{}: {error}", self.folder.display());
            StoreError::new(StoreErrorKind::Unavailable, message).with_source(error)
        };
        let mut runs = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
            let Some(run) = id.and_then(|id| RunId::parse(id).ok()) else {
                continue;
            };
            let events = self.read(&run, 0, usize::MAX).await?;
            let view = RunView::from_events(run, &events);
            let (Some(started), Some(updated)) = (view.started_at, view.updated_at) else {
                continue;
            };
            let mut summary = RunSummary::new(view.run_id.clone(), view.status, started);
            summary.workflow_id = view.workflow_id.clone();
            summary.updated_at = updated;
            summary.last_sequence = view.sequence;
            let holder = |log: &mut Log| Ok(log.lease.holder().map(ToString::to_string));
            summary.holder = self.log(&summary.run_id, holder)?;
            runs.push(summary);
        }
        runs.retain(|summary| filter.fits(summary));
        runs.sort_by_key(|summary| std::cmp::Reverse(summary.started_at));
        runs.truncate(filter.limit);
        Ok(runs)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let inventory = || {
        Inventory(HashMap::from([
            ("db.example", "Ada"),
            ("web.example", "Grace"),
        ]))
    };
    let mut registry = Registry::new();
    registry.register_dyn(Arc::new(EntryPoint::new()))?;
    registry.register(inventory())?.register(WriteLetter)?;

    let mut workflow = WorkflowBuilder::new("Tell the owners");
    let start = workflow.entrypoint::<Hosts>("start");
    let otherwise = LookUp {
        otherwise: "Somebody".into(),
    };
    let look_up = workflow.node("look-up", &inventory(), otherwise);
    let write = workflow.node("write", &WriteLetter, NoParams {});
    workflow
        .connect(start.output().hosts, look_up.input().hosts)
        .connect(look_up.output().owners, write.input().owners);
    let plan = compile(&workflow.build(), &registry)?.plan;

    let store: Arc<dyn TraceStore> = Arc::new(JsonLines::open("runs")?);
    let executor = LocalExecutor::builder(store.clone()).build();
    let request = RunRequest::new(plan).with_input("hosts", vec!["db.example", "new.example"]);
    let run = executor.start(request).await?;

    // Follow the run while it goes on. The view after each event is what a replay would show.
    let mut view = RunView::new(run.id().clone());
    let mut events = store.subscribe(run.id().clone(), 0);
    while let Some(event) = events.next().await {
        let event = event?;
        view.apply(&event);
        let (done, all) = (view.counts.finished(), view.nodes().len());
        let node = event.node_id().map_or("the run", |node| node.as_str());
        let message = event.message.as_deref().unwrap_or_default();
        let line = format!("{done}/{all} {} {node} {message}", event.kind.type_name());
        println!("{}", line.trim_end());
    }
    println!(
        "{}",
        serde_json::to_string_pretty(&RunOutputs::from(&view).outputs)?
    );

    // Another process that opens the same folder finds the same run.
    let later = JsonLines::open("runs")?;
    let runs = later.runs(&RunFilter::default()).await?;
    let stored = later.read(&runs[0].run_id, 0, usize::MAX).await?;
    let replayed = RunView::from_events(runs[0].run_id.clone(), &stored);
    let same = serde_json::to_string(&replayed)? == serde_json::to_string(&view)?;
    println!(
        "{} run, {}, the same when replayed: {same}",
        runs.len(),
        runs[0].status
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use shipsec_core::event::{EventKind, StatusPayload, Timestamp, WorkflowStatus};

    use super::*;

    #[tokio::test]
    async fn what_was_promised_survives_and_what_was_cut_off_is_written_again() {
        let folder = std::env::temp_dir().join(format!("own-store-{}", RunId::generate()));
        let run = RunId::generate();
        let record = |counter| {
            let status = StatusPayload::new(WorkflowStatus::Running);
            let kind = EventKind::WorkflowStatus(Box::new(status));
            Record::new(Timestamp::default(), None, 0, counter, kind)
        };
        let store = JsonLines::open(&folder).unwrap();
        let appended = store
            .append(&run, vec![record(1), record(1), record(2)])
            .await
            .unwrap();
        assert_eq!(appended, Appended::new(2, 2, 1));

        // The power fails in the middle of a line.
        let path = store.path(&run);
        let length = fs::metadata(&path).unwrap().len();
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(length - 3)
            .unwrap();

        let store = JsonLines::open(&folder).unwrap();
        assert_eq!(store.read(&run, 0, 9).await.unwrap().len(), 1);
        let appended = store
            .append(&run, vec![record(1), record(2)])
            .await
            .unwrap();
        assert_eq!(appended, Appended::new(2, 1, 1));
        assert_eq!(store.wait_beyond(&run, 1).await.unwrap(), 2);
        fs::remove_dir_all(folder).unwrap();
    }
}
