//! The store.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use shipsec_core::{
    RunId, WorkflowId,
    event::{Event, Record, Timestamp, WorkflowStatus},
    trace::{
        AppendError, Appended, Capabilities, Lease, LeaseError, RunFilter, RunSummary, StoreError,
        StoreErrorKind, TraceStore,
    },
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    Options,
    error::store_error,
    house::{House, keep, last_sequence},
    lease::{self, Life},
    remove,
    rows::{Reader, SELECT},
    schema,
    writer::{Job, Task, Writer, unsigned},
};

/// How long a connection waits for another that holds the file.
const BUSY: Duration = Duration::from_secs(5);

/// Appends that may wait for the writer.
const WAITING: usize = 1024;

/// A trace store in one SQLite file. Dropping it waits until what was appended is written.
///
/// The file shrinks by what the runs that are removed took, in short steps between which others
/// write. A file that was not made so (`auto_vacuum` is `INCREMENTAL`) keeps its size, and uses it
/// again.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use shipsec_core::trace::{RunFilter, TraceStore};
/// use shipsec_sqlite::SqliteStore;
///
/// # let folder = std::env::temp_dir().join(format!("shipsec-doc-{}", std::process::id()));
/// let store = SqliteStore::open(folder.join("shipsec.db"))?;
/// assert!(store.runs(&RunFilter::default()).await?.is_empty());
/// # drop(store);
/// # std::fs::remove_dir_all(folder)?;
/// # Ok(())
/// # }
/// ```
pub struct SqliteStore {
    path: Arc<PathBuf>,
    house: Arc<House>,
    tasks: Option<mpsc::Sender<Task>>,
    life: Arc<Life>,
    readers: Arc<Mutex<Vec<Connection>>>,
    threads: Vec<JoinHandle<()>>,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens a file, which is created with its folder where it is missing.
    ///
    /// # Errors
    ///
    /// [`StoreError`] naming the file: `Denied` when it cannot be opened or written, `Corrupt` when
    /// it is damaged or no database, `Other` when it is another program's or a newer version's.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, Options::default())
    }

    /// Opens a file with options.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let path = Arc::new(path.as_ref().to_owned());
        if !options.read_only {
            make_folder(&path)?;
        }
        let mut connection = connect(&path, options.read_only)?;
        let failed = |error: rusqlite::Error| store_error(&path, "opening", &error);
        if options.read_only {
            if schema::check(&mut connection, &path)? < schema::VERSION {
                schema::migrate(&mut connect(&path, false)?, &path)?;
            }
        } else {
            set_up(&connection, &options).map_err(failed)?;
            schema::migrate(&mut connection, &path)?;
        }
        let house = Arc::new(House::default());
        let mut threads = Vec::new();
        let thread = |name: &str, body: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(body)
                .map_err(|error| {
                    let message = format!("trace store {}: no thread: {error}", path.display());
                    StoreError::new(StoreErrorKind::Unavailable, message)
                })
        };
        let keeper = connect(&path, options.read_only)?;
        let (shared, file) = (house.clone(), path.clone());
        let keeps = move || keep(&shared, &keeper, &file, !options.read_only);
        threads.push(thread("shipsec-sqlite-house", Box::new(keeps))?);
        let mut tasks = None;
        if !options.read_only {
            let (send, receive) = mpsc::channel(WAITING);
            let writer = Writer {
                connection,
                path: path.clone(),
                house: house.clone(),
            };
            threads.push(thread(
                "shipsec-sqlite-writer",
                Box::new(|| writer.run(receive)),
            )?);
            tasks = Some(send);
        }
        Ok(Self {
            path,
            house,
            tasks,
            life: Arc::default(),
            readers: Arc::default(),
            threads,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads on a thread where it may block, with a connection of its own.
    async fn with_reader<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &Path) -> Result<T, StoreError> + Send + 'static,
    {
        let (path, readers) = (self.path.clone(), self.readers.clone());
        let work = move || {
            let pooled = readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match pooled {
                Some(connection) => connection,
                None => connect(&path, true)?,
            };
            let result = read(&connection, &path);
            let mut pool = readers.lock().unwrap_or_else(PoisonError::into_inner);
            if pool.len() < 8 {
                pool.push(connection);
            }
            result
        };
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|error| {
                Err(StoreError::new(
                    StoreErrorKind::Other,
                    format!("reading the trace store: {error}"),
                ))
            })
    }

    async fn last_sequence(&self, run: &RunId) -> Result<u64, StoreError> {
        let run = run.clone();
        self.with_reader(move |connection, path| {
            last_sequence(connection, &run).map_err(|error| store_error(path, "reading", &error))
        })
        .await
    }
    fn read_only(&self) -> StoreError {
        let message = format!(
            "trace store {} is open for reading alone",
            self.path.display()
        );
        StoreError::new(StoreErrorKind::Denied, message)
    }

    fn stopped(&self) -> StoreError {
        let message = format!(
            "trace store {}: its writer has stopped",
            self.path.display()
        );
        StoreError::new(StoreErrorKind::Other, message)
    }

    async fn append_under(
        &self,
        lease: Option<Lease>,
        run: &RunId,
        records: Vec<Record>,
    ) -> Result<Appended, AppendError> {
        let Some(tasks) = &self.tasks else {
            let error = self.read_only();
            return Err(AppendError { error, records });
        };
        let (reply, answer) = oneshot::channel();
        let job = Job {
            run: run.clone(),
            lease,
            records,
            reply,
        };
        if let Err(mpsc::error::SendError(task)) = tasks.send(Task::Append(job)).await {
            let records = match task {
                Task::Append(job) => job.records,
                Task::Other(_) => Vec::new(),
            };
            let error = self.stopped();
            return Err(AppendError { error, records });
        }
        answer.await.unwrap_or_else(|_| {
            Err(AppendError {
                error: self.stopped(),
                records: Vec::new(),
            })
        })
    }

    async fn remove_by(&self, by: remove::By) -> Result<bool, LeaseError> {
        let (path, life) = (self.path.clone(), self.life.clone());
        let hide = move |connection: &mut Connection| remove::hide(connection, &path, &life, &by);
        let removed = self.write(hide).await??;
        // What is hidden goes piece by piece, so that nobody who appends waits for long; also what a
        // process left that died meanwhile.
        loop {
            let path = self.path.clone();
            let piece = move |connection: &mut Connection| remove::piece(connection, &path);
            if !self.write(piece).await?? {
                break;
            }
        }
        // What cannot be given back now is with the next run that is removed.
        while self
            .write(remove::give_back)
            .await?
            .unwrap_or_else(|error| {
                tracing::debug!(%error, "the file does not shrink for now");
                false
            })
        {}
        Ok(removed)
    }

    /// Lets the writer's thread do something with its connection.
    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> T + Send + 'static,
    {
        let tasks = self.tasks.as_ref().ok_or_else(|| self.read_only())?;
        let (reply, answer) = oneshot::channel();
        let work = move |connection: &mut Connection| drop(reply.send(work(connection)));
        let sent = tasks.send(Task::Other(Box::new(work))).await;
        sent.map_err(|_| self.stopped())?;
        answer.await.map_err(|_| self.stopped())
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.tasks = None;
        self.house.close();
        for thread in self.threads.drain(..) {
            // A thread that panicked has told so already.
            let _ = thread.join();
        }
    }
}

fn make_folder(path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    else {
        return Ok(());
    };
    let mut make = std::fs::DirBuilder::new();
    make.recursive(true);
    // What runs are given, and give, is nobody else's.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut make, 0o700);
    make.create(folder).map_err(|error| {
        let message = format!(
            "trace store {}: its folder cannot be made: {error}",
            path.display()
        );
        StoreError::new(StoreErrorKind::Denied, message)
    })
}

/// How the file is written.
fn set_up(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    // Only a file that has nothing yet can be made so that it shrinks.
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    if pages == 0 {
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    // SQLite does not wait by itself where another process is making the same file.
    let until = Instant::now() + BUSY;
    while let Err(error) = connection.pragma_update(None, "journal_mode", "WAL") {
        if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) || Instant::now() > until {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let synchronous = match options.survive_power_loss {
        true => "FULL",
        false => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)
}

fn connect(path: &Path, read_only: bool) -> Result<Connection, StoreError> {
    let failed = |error: rusqlite::Error| store_error(path, "opening", &error);
    let mode = if read_only {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    };
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    Ok(connection)
}

#[async_trait]
impl TraceStore for SqliteStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::DURABLE
    }

    async fn append(&self, run: &RunId, records: Vec<Record>) -> Result<Appended, AppendError> {
        self.append_under(None, run, records).await
    }

    async fn append_as(
        &self,
        lease: &Lease,
        records: Vec<Record>,
    ) -> Result<Appended, AppendError> {
        let run = &lease.run_id;
        self.append_under(Some(lease.clone()), run, records).await
    }

    async fn acquire(&self, run: &RunId, holder: &str, ttl: Duration) -> Result<Lease, LeaseError> {
        let (run, holder) = (run.clone(), holder.to_owned());
        let (life, path) = (self.life.clone(), self.path.clone());
        let work = move |connection: &mut Connection| {
            lease::acquire(connection, &path, &life, (&run, &holder, ttl))
        };
        self.write(work).await?
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<(), StoreError> {
        let (lease, path) = (lease.clone(), self.path.clone());
        let work = move |connection: &mut Connection| lease::renew(connection, &path, &lease, ttl);
        self.write(work).await?
    }

    async fn remove(&self, run: &RunId) -> Result<bool, LeaseError> {
        self.remove_by(remove::By::Anybody(run.clone())).await
    }

    async fn remove_as(&self, lease: &Lease) -> Result<bool, StoreError> {
        let removed = self.remove_by(remove::By::Holder(lease.clone())).await;
        removed.map_err(|error| match error {
            LeaseError::Store(error) => error,
            // Whose lease is the newest holds it.
            _ => lease.fenced(),
        })
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let (lease, path) = (lease.clone(), self.path.clone());
        let work = move |connection: &mut Connection| lease::release(connection, &path, &lease);
        self.write(work).await?
    }

    async fn read(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let run = run.clone();
        self.with_reader(move |connection, path| {
            let failed = |error: rusqlite::Error| store_error(path, "reading", &error);
            let mut select = connection.prepare_cached(SELECT).map_err(failed)?;
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            // In one statement: the key of a run that is removed meanwhile may become another's.
            let mut rows = select
                .query(params![run.as_str(), after, limit])
                .map_err(failed)?;
            let mut reader = Reader::new(&run, path);
            let mut events = Vec::new();
            while let Some(row) = rows.next().map_err(failed)? {
                events.push(reader.event(row)?);
            }
            Ok(events)
        })
        .await
    }

    async fn wait_beyond(&self, run: &RunId, after: u64) -> Result<u64, StoreError> {
        let waiting = self.house.wait(run);
        loop {
            // Listening begins before looking, so that nothing is missed in between.
            let mut news = std::pin::pin!(waiting.news());
            news.as_mut().enable();
            let last = self.last_sequence(run).await?;
            if last > after {
                return Ok(last);
            }
            waiting.saw(last);
            news.await;
        }
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        let (filter, life) = (filter.clone(), self.life.clone());
        self.with_reader(move |connection, path| {
            let failed = |error: rusqlite::Error| store_error(path, "listing runs", &error);
            let sql = "SELECT run_id, workflow_id, status, started_at, updated_at, last_sequence,
                              lease_holder, lease_process, lease_until
                       FROM runs
                       WHERE (?1 IS NULL OR workflow_id = ?1) AND (?2 IS NULL OR status = ?2)
                         AND (?3 IS NULL OR (started_at, run_id) < (?3, ?4))
                         AND (?5 IS NULL OR run_id = ?5)
                         AND last_sequence > 0";
            let unfinished = " AND status NOT IN
                ('COMPLETED', 'FAILED', 'CANCELLED', 'TIMED_OUT', 'TERMINATED')";
            let unfinished = if filter.interrupted { unfinished } else { "" };
            let sql = format!("{sql}{unfinished} ORDER BY started_at DESC, run_id DESC");
            let workflow = filter.workflow_id.as_ref().map(WorkflowId::as_str);
            let status = filter.status.map(WorkflowStatus::as_str);
            let mut select = connection.prepare_cached(&sql).map_err(failed)?;
            let run = filter.run_id.as_ref().map(RunId::as_str);
            let after = filter.after.as_ref();
            let (at, id) = after
                .map(|place| (place.started_at.as_micros(), place.run_id.as_str()))
                .unzip();
            let mut rows = select
                .query(params![workflow, status, at, id, run])
                .map_err(failed)?;
            let now = Timestamp::now().as_micros();
            let mut found = Vec::new();
            while found.len() < filter.limit
                && let Some(row) = rows.next().map_err(failed)?
            {
                let mut summary = summary(row, path)?;
                if !summary.status.is_final() {
                    let lease = lease::Row {
                        holder: row.get(6).map_err(failed)?,
                        process: row.get(7).map_err(failed)?,
                        until: row.get(8).map_err(failed)?,
                    };
                    let held = lease.held(path, &life, now);
                    summary.holder = held.map(|(holder, _)| holder.to_owned());
                }
                // The query has looked at all but the lease.
                if !filter.interrupted || summary.is_interrupted() {
                    found.push(summary);
                }
            }
            Ok(found)
        })
        .await
    }
}

fn summary(row: &rusqlite::Row<'_>, path: &Path) -> Result<RunSummary, StoreError> {
    let failed = |error: rusqlite::Error| store_error(path, "listing runs", &error);
    let corrupt = |what: String| {
        StoreError::new(
            StoreErrorKind::Corrupt,
            format!("trace store {}: {what}", path.display()),
        )
    };
    let id: String = row.get(0).map_err(failed)?;
    let run = RunId::parse(&id).map_err(|error| corrupt(error.to_string()))?;
    let status: String = row.get(2).map_err(failed)?;
    let status = serde_json::from_value(status.into())
        .map_err(|error| corrupt(format!("status of run {run}: {error}")))?;
    let started = Timestamp::from_micros(row.get(3).map_err(failed)?);
    let mut summary = RunSummary::new(run, status, started);
    summary.workflow_id = row
        .get::<_, Option<String>>(1)
        .map_err(failed)?
        .map(WorkflowId::from);
    summary.updated_at = Timestamp::from_micros(row.get(4).map_err(failed)?);
    summary.last_sequence = unsigned(row.get(5).map_err(failed)?);
    Ok(summary)
}
