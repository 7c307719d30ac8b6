//! Asking a person, and waiting for the answer without holding anything.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::Value as Json;
use tokio::{sync::Notify, time::Instant};

use super::Context;
use crate::{
    ComponentError,
    event::{AwaitingInputPayload, EventKind, Level, Timestamp},
};

/// What a node asks a person.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Question {
    /// What it is for, for example `approval`, `form`: it tells a view how to ask.
    pub kind: String,
    /// The question.
    pub title: String,
    /// JSON Schema that the answer has to fit. Its properties are asked for in the order of their
    /// `x-order`, a number, and then of their names.
    pub schema: Option<Json>,
    /// How long it may wait.
    pub timeout: Option<Duration>,
}

impl Question {
    /// A question that any answer fits, however late it comes.
    pub fn new(kind: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            title: title.into(),
            schema: None,
            timeout: None,
        }
    }

    /// Sets the JSON Schema that the answer has to fit.
    #[must_use]
    pub fn with_schema(mut self, schema: Json) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Sets how long it may wait, from the first time that it is asked: a restart of the process
    /// does not give it more.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// The questions of one run, and their answers.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    state: Mutex<State>,
    /// Whether the driver has something to hear.
    told: AtomicBool,
    answered: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// By request id: the attempt that the log says asked, and until when it waits.
    asked: BTreeMap<String, (u32, Option<Timestamp>)>,
    answers: BTreeMap<String, Json>,
    news: Vec<Waiting>,
}

/// What the driver hears of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    Begins(u32),
    Ends(u32),
    /// An item waits: answers are to be heard.
    Listen,
}

impl Questions {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log says that this was asked.
    pub(crate) fn was_asked(&self, request: &str, attempt: u32, until: Option<Timestamp>) {
        let asked = &mut self.state().asked;
        asked.insert(request.to_owned(), (attempt, until));
    }

    /// The log says that this was answered. The first answer counts.
    pub(crate) fn was_answered(&self, request: &str, answer: &Json) {
        let mut state = self.state();
        if !state.answers.contains_key(request) {
            state.answers.insert(request.to_owned(), answer.clone());
        }
        drop(state);
        self.answered.notify_waiters();
    }

    /// What nodes began or ceased to wait.
    pub(crate) fn news(&self) -> Vec<Waiting> {
        // Asked for each node that starts, and seldom so: a load is all that it may cost.
        if !self.told.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.told.store(false, Ordering::Release);
        std::mem::take(&mut self.state().news)
    }

    pub(super) fn tell(&self, cx: &Context, news: Waiting) {
        self.state().news.push(news);
        self.told.store(true, Ordering::Release);
        cx.scope().recorder.arrived.notify_one();
    }
}

/// Tells the driver that a node waits, until dropped.
struct Waits<'a>(&'a Context);

impl<'a> Waits<'a> {
    fn begin(cx: &'a Context) -> Self {
        cx.set_waiting(true);
        Self(cx)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.set_waiting(false);
    }
}

impl Context {
    /// Asks a person, and waits for the answer: `None` when nobody answered in time. The node holds
    /// no thread and no place in a concurrency limit meanwhile, and need not give signs of life; its
    /// own time limit goes on.
    ///
    /// The question is named by the node and by which of its questions it is, so that an answer
    /// counts also for a later attempt, and for a process that resumes the run: ask the same
    /// questions in the same order each time. The answer is in the log as it was given; a form asks
    /// for the name of a secret, not for the secret.
    ///
    /// Dropping the future ends the wait and loses nothing.
    ///
    /// # Errors
    ///
    /// An `InternalError` when the node is to stop while it waits.
    pub async fn ask(&self, question: Question) -> Result<Option<Json>, ComponentError> {
        let questions = &self.scope().questions;
        let request = format!("{}/{}", self.node_id(), self.next_question());
        let Question {
            kind,
            title,
            schema,
            timeout,
        } = question;
        let known = {
            let state = questions.state();
            if let Some(answer) = state.answers.get(&request) {
                return Ok(Some(answer.clone()));
            }
            state.asked.get(&request).copied()
        };
        let now = self.scope().clock.now();
        let until = match known {
            Some((_, until)) => until,
            None => timeout.map(|timeout| now.after(timeout)),
        };
        if known.is_none_or(|(attempt, _)| attempt != self.attempt()) {
            questions.was_asked(&request, self.attempt(), until);
            let message = title.clone();
            let payload = AwaitingInputPayload {
                request_id: request.clone(),
                kind,
                title,
                schema,
                timeout_at: until,
            };
            let kind = EventKind::NodeAwaitingInput(Box::new(payload));
            self.fact(Level::Info, Some(message.into()), kind);
        }
        let _waits = Waits::begin(self);
        let timeout = async {
            match until.map(|until| Instant::now().checked_add(until.since(now))) {
                Some(Some(at)) => tokio::time::sleep_until(at).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            answer = self.answer_to(&request) => Ok(Some(answer)),
            () = timeout => Ok(None),
            () = self.cancelled() => Err(ComponentError::internal("stopped while it waited for an answer")),
        }
    }

    async fn answer_to(&self, request: &str) -> Json {
        let questions = &self.scope().questions;
        loop {
            // Listening begins before looking, so that nothing is missed in between.
            let mut answered = std::pin::pin!(questions.answered.notified());
            answered.as_mut().enable();
            if let Some(answer) = questions.state().answers.get(request) {
                return answer.clone();
            }
            answered.await;
        }
    }
}
