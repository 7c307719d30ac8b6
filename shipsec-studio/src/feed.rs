//! Event streams: what a run appends is read and written as text once, however many listen.
//!
//! One task for each run that somebody listens to reads its log as it grows and keeps the newest
//! frames. Whoever is further back, because history comes first or because it reads slowly, reads
//! pages of the store by itself until it has come to where they begin; so nobody waits for another,
//! and nobody misses an event.

use std::{
    collections::{HashMap, VecDeque},
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream};
use shipsec_core::{
    RunId,
    event::{Event, EventKind},
    trace::{StoreError, StoreErrorKind, TraceStore},
};
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Events that are read at once. Each listener may have so many before it.
const PAGE: usize = 128;
/// Bytes of frames that a feed keeps.
const KEPT: usize = 8 * 1024 * 1024;
/// Bytes that a listener is given at once, unless one frame is larger.
const PIECE: usize = 256 * 1024;
/// What a stream ends with; no event of a log is told as one.
const END: &str = "end";
/// How often a stream says that it is alive, where nothing happens.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Tells streams that the server is to end; one that knows of no server never does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Closing(Option<watch::Receiver<()>>);

impl Closing {
    /// Told once the sender is dropped.
    pub(crate) fn new(server: watch::Receiver<()>) -> Self {
        Self(Some(server))
    }

    async fn closed(&mut self) {
        match &mut self.0 {
            Some(server) => while server.changed().await.is_ok() {},
            None => std::future::pending().await,
        }
    }
}

/// The feeds of runs that somebody listens to.
#[derive(Debug)]
pub(crate) struct Feeds {
    store: Arc<dyn TraceStore>,
    open: Arc<Mutex<HashMap<RunId, Weak<Feed>>>>,
}

#[derive(Debug)]
struct Feed {
    ring: Mutex<Ring>,
    seen: watch::Sender<Seen>,
}

/// The newest frames, one after the other.
#[derive(Debug, Default)]
struct Ring {
    /// Sequence number of the first.
    first: u64,
    frames: VecDeque<Frame>,
    bytes: usize,
}

#[derive(Debug, Clone)]
struct Frame {
    text: Bytes,
    is_final: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Seen {
    /// The newest frame.
    Upto(u64),
    /// Nothing more comes from here: the store failed, or the log ended.
    Closed(Option<Arc<str>>),
}

/// An event as a frame of `text/event-stream` (WHATWG HTML, section 9.2.6).
fn frame(event: &Event) -> Result<Frame, serde_json::Error> {
    let data = serde_json::to_string(event)?;
    let kind = event.kind.type_name();
    let mut text = String::with_capacity(data.len() + kind.len() + 48);
    // An unknown type may be any text; JSON has no line ends outside of its escapes.
    let plain = !kind.contains(['\n', '\r', '\0']) && kind != END;
    let _ = writeln!(text, "id: {}", event.sequence);
    if plain {
        let _ = writeln!(text, "event: {kind}");
    }
    let _ = writeln!(text, "data: {data}\n");
    Ok(Frame {
        text: text.into(),
        is_final: matches!(&event.kind, EventKind::WorkflowStatus(payload) if payload.status.is_final()),
    })
}

fn frames(page: &[Event]) -> Result<Vec<Frame>, StoreError> {
    let failed = |error: serde_json::Error| {
        let message = format!("an event has no JSON: {error}");
        StoreError::new(StoreErrorKind::Corrupt, message)
    };
    page.iter()
        .map(|event| frame(event).map_err(failed))
        .collect()
}

impl Feed {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, frames: Vec<Frame>) -> u64 {
        let mut ring = self.ring();
        for frame in frames {
            ring.bytes += frame.text.len();
            ring.frames.push_back(frame);
        }
        while ring.bytes > KEPT && ring.frames.len() > 1 {
            let gone = ring.frames.pop_front();
            ring.bytes -= gone.map_or(0, |frame| frame.text.len());
            ring.first += 1;
        }
        ring.first + ring.frames.len() as u64 - 1
    }

    /// What comes after an event, as far as it is kept; none where that is gone already, and nothing
    /// where it is still to come.
    fn after(&self, sequence: u64) -> Option<(Bytes, u64, bool)> {
        let ring = self.ring();
        let skip = sequence.checked_sub(ring.first - 1)?;
        let mut piece = BytesMut::new();
        let (mut last, mut is_final) = (sequence, false);
        for frame in ring.frames.iter().skip(usize::try_from(skip).ok()?) {
            if !piece.is_empty() && piece.len() + frame.text.len() > PIECE {
                break;
            }
            piece.extend_from_slice(&frame.text);
            last += 1;
            is_final = frame.is_final;
            if is_final {
                break;
            }
        }
        Some((piece.freeze(), last, is_final))
    }
}

impl Feeds {
    pub(crate) fn new(store: Arc<dyn TraceStore>) -> Self {
        Self {
            store,
            open: Arc::default(),
        }
    }

    /// Listens to a run, whose log holds `last` events now.
    fn listen(&self, run: &RunId, last: u64) -> (Arc<Feed>, watch::Receiver<Seen>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = open.get(run).and_then(Weak::upgrade) {
            let seen = feed.seen.subscribe();
            return (feed, seen);
        }
        let (sender, seen) = watch::channel(Seen::Upto(last));
        let ring = Ring {
            first: last + 1,
            ..Ring::default()
        };
        let feed = Arc::new(Feed {
            ring: Mutex::new(ring),
            seen: sender,
        });
        open.insert(run.clone(), Arc::downgrade(&feed));
        let following = Following {
            run: run.clone(),
            feed: feed.clone(),
            open: self.open.clone(),
            why: Some("its log is not followed any more".into()),
        };
        tokio::spawn(follow(self.store.clone(), following));
        (feed, seen)
    }

    /// The events of a run after `after`, as `text/event-stream`; `last` is how far its log is, and
    /// `ended` whether that is its end.
    pub(crate) fn stream(
        &self,
        run: &RunId,
        after: u64,
        last: u64,
        ended: bool,
        closing: Closing,
        permit: OwnedSemaphorePermit,
    ) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> + Send + use<> {
        let listening = (!ended).then(|| self.listen(run, last));
        let listener = Listener {
            store: self.store.clone(),
            run: run.clone(),
            listening,
            after,
            last,
            ahead: VecDeque::new(),
            state: State::First,
            closing,
            _permit: permit,
        };
        stream::unfold(listener, |mut listener| async move {
            let piece = listener.next().await?;
            Some((Ok(piece), listener))
        })
    }
}

/// Follows the log of a run. However that ends, also by a panic of the store, nobody waits for it.
struct Following {
    run: RunId,
    feed: Arc<Feed>,
    open: Arc<Mutex<HashMap<RunId, Weak<Feed>>>>,
    /// Why it ends; none at the end of the log.
    why: Option<Arc<str>>,
}

impl Following {
    /// Forgets the feed, unless somebody listens.
    fn is_alone(&self) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let is_alone = self.feed.seen.receiver_count() == 0;
        if is_alone {
            self.forget(&mut open);
        }
        is_alone
    }

    /// Forgets the feed, unless another one has taken its place.
    fn forget(&self, open: &mut HashMap<RunId, Weak<Feed>>) {
        let known = open.get(&self.run);
        if known.is_some_and(|other| std::ptr::eq(other.as_ptr(), &*self.feed)) {
            open.remove(&self.run);
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.forget(&mut open);
        self.feed.seen.send_replace(Seen::Closed(self.why.take()));
    }
}

/// Reads the log of a run as it grows, as long as somebody listens.
async fn follow(store: Arc<dyn TraceStore>, mut following: Following) {
    let (run, feed) = (following.run.clone(), following.feed.clone());
    let mut last = feed.ring().first - 1;
    loop {
        let page = tokio::select! {
            page = next_page(&store, &run, last) => page,
            () = tokio::time::sleep(KEEP_ALIVE) => match store.read(&run, last - 1, 1).await {
                Ok(page) if page.is_empty() => {
                    let message = format!("run {run} was removed");
                    Err(StoreError::new(StoreErrorKind::Other, message))
                }
                // It is quiet.
                Ok(_) => continue,
                Err(error) => Err(error),
            },
            () = feed.seen.closed() => match following.is_alone() {
                true => return,
                // Somebody has come just now.
                false => continue,
            },
        };
        match page.and_then(|page| frames(&page)) {
            Ok(frames) => {
                let is_final = frames.iter().any(|frame| frame.is_final);
                last = feed.push(frames);
                if is_final {
                    // Whoever listens reads to the end, from the frames or from the store.
                    following.why = None;
                    return;
                }
                feed.seen.send_replace(Seen::Upto(last));
            }
            Err(error) => {
                following.why = Some(error.to_string().into());
                return;
            }
        }
    }
}

/// The next events of a log, once there are any.
async fn next_page(
    store: &Arc<dyn TraceStore>,
    run: &RunId,
    last: u64,
) -> Result<Vec<Event>, StoreError> {
    loop {
        let page = store.read(run, last, PAGE).await?;
        if !page.is_empty() {
            return Ok(page);
        }
        store.wait_beyond(run, last).await?;
    }
}

/// One client.
#[derive(Debug)]
struct Listener {
    store: Arc<dyn TraceStore>,
    run: RunId,
    listening: Option<(Arc<Feed>, watch::Receiver<Seen>)>,
    after: u64,
    /// How far the log was at first.
    last: u64,
    /// What was read of the store beyond what was given.
    ahead: VecDeque<Frame>,
    state: State,
    closing: Closing,
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Nothing was said yet.
    First,
    Going,
    /// The final event was given.
    Ended,
    Done,
}

impl Listener {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.state {
                State::First => {
                    self.state = State::Going;
                    // How many milliseconds a browser waits before it connects again.
                    return Some(Bytes::from_static(b"retry: 1000\n\n"));
                }
                State::Ended => {
                    self.state = State::Done;
                    let end = format!("event: {END}\ndata: {{\"sequence\":{}}}\n\n", self.after);
                    return Some(end.into());
                }
                State::Done => return None,
                State::Going => {}
            }
            match self.piece().await {
                Ok(Some(piece)) => return Some(piece),
                Ok(None) => {}
                Err(error) => {
                    // The client connects again, and goes on after what it has.
                    tracing::warn!(run = %self.run, error, "an event stream ends early");
                    return None;
                }
            }
        }
    }

    /// What comes next; none where the state has changed, or something is there now.
    async fn piece(&mut self) -> Result<Option<Bytes>, String> {
        let kept = match &self.listening {
            Some((feed, _)) => feed.after(self.after),
            None => None,
        };
        match kept {
            Some((piece, last, is_final)) if !piece.is_empty() => {
                self.ahead.clear();
                self.went_on(last, is_final);
                return Ok(Some(piece));
            }
            // All that is kept was given.
            Some(_) => {}
            None if self.after >= self.last && self.listening.is_none() => {
                self.state = State::Ended;
                return Ok(None);
            }
            None => return self.history().await,
        }
        let Some((feed, seen)) = &mut self.listening else {
            return Ok(None);
        };
        let now = seen.borrow_and_update().clone();
        match now {
            Seen::Upto(last) if last > self.after => return Ok(None),
            Seen::Upto(_) => {}
            // Frames may have come between looking at them and at this.
            Seen::Closed(_)
                if feed
                    .after(self.after)
                    .is_none_or(|(piece, ..)| !piece.is_empty()) =>
            {
                return Ok(None);
            }
            Seen::Closed(None) => {
                self.state = State::Ended;
                return Ok(None);
            }
            Seen::Closed(Some(error)) => return Err(error.to_string()),
        }
        tokio::select! {
            _ = seen.changed() => Ok(None),
            () = self.closing.closed() => {
                self.state = State::Done;
                Ok(None)
            }
            () = tokio::time::sleep(KEEP_ALIVE) => Ok(Some(Bytes::from_static(b": still here\n\n"))),
        }
    }

    /// A page of the store.
    async fn history(&mut self) -> Result<Option<Bytes>, String> {
        if self.ahead.is_empty() {
            let page = self.store.read(&self.run, self.after, PAGE).await;
            let frames = page.and_then(|page| frames(&page));
            self.ahead = frames.map_err(|error| error.to_string())?.into();
        }
        if self.ahead.is_empty() {
            return Err(format!("the log holds no event after {}", self.after));
        }
        let mut piece = BytesMut::new();
        while piece.len() <= PIECE
            && let Some(frame) = self.ahead.pop_front()
        {
            piece.extend_from_slice(&frame.text);
            self.went_on(self.after + 1, frame.is_final);
            if frame.is_final {
                break;
            }
        }
        Ok(Some(piece.freeze()))
    }

    fn went_on(&mut self, last: u64, is_final: bool) {
        self.after = last;
        if is_final {
            self.state = State::Ended;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use shipsec_core::{
        event::{Record, StatusPayload, Timestamp, WorkflowStatus},
        trace::MemoryStore,
    };
    use tokio::sync::Semaphore;

    use super::*;

    fn run() -> RunId {
        RunId::parse("r").unwrap()
    }

    async fn begun() -> Arc<dyn TraceStore> {
        let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
        let kind = EventKind::WorkflowStatus(Box::new(StatusPayload::new(WorkflowStatus::Running)));
        let first = Record::new(Timestamp::now(), None, 0, 1, kind);
        store.append(&run(), vec![first]).await.unwrap();
        store
    }

    async fn permit() -> OwnedSemaphorePermit {
        Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_says_that_it_lives_and_ends_with_a_run_that_is_removed() {
        let store = begun().await;
        let feeds = Feeds::new(store.clone());
        let stream = feeds.stream(&run(), 0, 1, false, Closing::default(), permit().await);
        let mut stream = std::pin::pin!(stream);
        let mut next = async || {
            let piece = stream.next().await?.unwrap();
            Some(String::from_utf8(piece.into()).unwrap())
        };
        assert_eq!(next().await.unwrap(), "retry: 1000\n\n");
        assert!(
            next()
                .await
                .unwrap()
                .starts_with("id: 1\nevent: WORKFLOW_STATUS\ndata: {")
        );
        assert_eq!(next().await.unwrap(), ": still here\n\n");
        store.remove(&run()).await.unwrap();
        // It may say once more that it lives; then nothing more comes, and no end of a run.
        while let Some(piece) = next().await {
            assert_eq!(piece, ": still here\n\n");
        }
        assert!(feeds.open.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn no_event_of_a_log_is_told_as_the_end() {
        let text = r#"{"runId":"r","sequence":1,"type":"end","timestamp":"2025-10-16T09:12:03Z"}"#;
        let event: Event = serde_json::from_str(text).unwrap();
        let frame = frame(&event).unwrap();
        let text = String::from_utf8(frame.text.into()).unwrap();
        assert!(text.starts_with("id: 1\ndata: {"), "{text}");
    }

    #[tokio::test]
    async fn a_feed_nobody_listens_to_is_forgotten() {
        let feeds = Feeds::new(begun().await);
        let stream = feeds.stream(&run(), 1, 1, false, Closing::default(), permit().await);
        assert_eq!(feeds.open.lock().unwrap().len(), 1);
        drop(stream);
        while !feeds.open.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_a_feed_whose_task_is_gone() {
        let feeds = Feeds::new(begun().await);
        let (feed, mut seen) = feeds.listen(&run(), 1);
        let following = Following {
            run: run(),
            feed,
            open: feeds.open.clone(),
            why: Some("gone".into()),
        };
        let died = tokio::spawn(async move {
            let _following = following;
            panic!("as a store may");
        });
        assert!(died.await.unwrap_err().is_panic());
        assert_eq!(*seen.borrow_and_update(), Seen::Closed(Some("gone".into())));
        assert!(feeds.open.lock().unwrap().is_empty());
    }
}
