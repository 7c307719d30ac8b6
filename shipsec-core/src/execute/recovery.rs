//! What a log says about a run that is to go on. Written once, for every executor.
//!
//! The reducer decides what the log means; here is only noted in which order nodes ended, which is
//! what a scheduler has to be told, and what a node that has to run again goes on from.

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::HashMap;
use serde_json::{Map, Value as Json};

use super::{Before, ResumeError};
use crate::{
    NodeId, PortId, RunId, Secret, SecretName,
    component::{PortValues, Registry},
    context::{Questions, SecretSource},
    event::{
        ErrorPayload, Event, EventKind, InputReceivedPayload, OutputNotes, Outputs, StopCause,
        Timestamp, ValueRef,
    },
    run::{Applied, NodeState, NodeView, RunView},
    storage::ArtifactStore,
    trace::{Masker, TraceStore, unmask},
    value::Value,
    workflow::Plan,
};

/// Events that are read at once.
const PAGE: usize = 4096;

/// What the scheduler is to be told again, in the order of the log.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A node ended.
    Ended { node: u32, how: Ended },
    /// The run was asked to stop.
    Stop {
        cause: StopCause,
        reason: Option<Arc<str>>,
    },
}

/// How a node ended.
#[derive(Debug, Clone)]
pub(crate) enum Ended {
    /// With these outputs, as recorded, and these active ports.
    Completed {
        outputs: Arc<Outputs>,
        active: Option<Arc<[PortId]>>,
    },
    Failed(Arc<ErrorPayload>),
    Cancelled,
}

/// What the log says of one node, beyond its state.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// Counter of the last event of its newest attempt.
    pub(crate) counter: u32,
    /// How many artifacts it has stored.
    pub(crate) artifacts: u32,
    /// Whether the newest attempt did nothing but wait for a person when the log ended.
    pub(crate) suspended: bool,
    /// How many of its attempts ended with their process.
    pub(crate) interrupted: u32,
    newest: u32,
}

impl Seen {
    /// Takes an event about the node.
    fn note(&mut self, event: &Event) {
        if event.attempt > self.newest {
            self.newest = event.attempt;
            self.counter = 0;
            self.artifacts = 0;
        }
        if event.attempt == self.newest && event.attempt > 0 {
            self.counter = self.counter.max(event.counter);
        }
        self.suspended = match &event.kind {
            EventKind::NodeAwaitingInput(_) => true,
            // It comes from outside.
            EventKind::NodeInputReceived(_) => self.suspended,
            _ => false,
        };
        match &event.kind {
            EventKind::NodeArtifact(_) => self.artifacts += 1,
            EventKind::NodeFailed(failed) => self.interrupted += u32::from(failed.interrupted),
            _ => {}
        }
    }
}

/// A run as its log left it.
#[derive(Debug)]
pub(crate) struct Recovery {
    pub(crate) plan: Arc<Plan>,
    pub(crate) inputs: Arc<Map<String, Json>>,
    pub(crate) view: RunView,
    /// By index of the plan's nodes.
    pub(crate) seen: Vec<Seen>,
    /// The same of items, by index of their node.
    pub(crate) items: HashMap<u32, BTreeMap<u32, Seen>>,
    pub(crate) steps: Vec<Step>,
    /// What nodes asked, and what was answered.
    pub(crate) questions: Questions,
    /// The counter of the last record about the run as a whole.
    pub(crate) said: u32,
}

impl Recovery {
    /// The plan of a run, and what it was started with.
    pub(crate) async fn start_of(
        store: &Arc<dyn TraceStore>,
        run: &RunId,
        registry: Option<&Registry>,
    ) -> Result<(Arc<Plan>, Arc<Map<String, Json>>), ResumeError> {
        let page = store.read(run, 0, 1).await?;
        let first = page
            .first()
            .ok_or_else(|| ResumeError::UnknownRun(run.clone()))?;
        let Self { plan, inputs, .. } = Self::begin(first, registry)?;
        Ok((plan, inputs))
    }

    /// Reads the log of a run to its end.
    pub(crate) async fn read(
        store: &Arc<dyn TraceStore>,
        run: &RunId,
        registry: Option<&Registry>,
    ) -> Result<Self, ResumeError> {
        let mut page = store.read(run, 0, PAGE).await?;
        let first = page
            .first()
            .ok_or_else(|| ResumeError::UnknownRun(run.clone()))?;
        let mut recovery = Self::begin(first, registry)?;
        while !page.is_empty() {
            for event in &page {
                recovery.take(event)?;
            }
            page = store.read(run, recovery.view.sequence, PAGE).await?;
        }
        match recovery.view.status.is_final() {
            true => Err(ResumeError::Ended {
                run: run.clone(),
                status: recovery.view.status,
            }),
            false => Ok(recovery),
        }
    }

    fn begin(first: &Event, registry: Option<&Registry>) -> Result<Self, ResumeError> {
        let broken = |what: &str| ResumeError::Log {
            run: first.run_id.clone(),
            problem: what.to_owned(),
        };
        let EventKind::WorkflowStatus(payload) = &first.kind else {
            return Err(broken("it does not begin with a WORKFLOW_STATUS event"));
        };
        let definition = payload.definition.as_ref();
        let definition = definition.ok_or_else(|| broken("its first event holds no definition"))?;
        let plan =
            match (definition.plan(), registry) {
                (Some(plan), _) => plan.clone(),
                (None, Some(registry)) => Plan::from_definition(definition.get(), registry)
                    .map_err(|problems| ResumeError::Definition {
                        run: first.run_id.clone(),
                        problems,
                    })?,
                (None, None) => return Err(ResumeError::NoRegistry(first.run_id.clone())),
            };
        let seen = vec![Seen::default(); plan.nodes.len()];
        Ok(Self {
            plan,
            inputs: payload.inputs.clone().unwrap_or_default(),
            view: RunView::new(first.run_id.clone()),
            seen,
            items: HashMap::new(),
            steps: Vec::new(),
            questions: Questions::default(),
            said: 0,
        })
    }

    fn take(&mut self, event: &Event) -> Result<(), ResumeError> {
        let place = event.node_id().and_then(|node| self.view.place_of(node));
        let before = place.map(|place| self.state(place));
        if let Applied::Gap { expected } = self.view.apply(event) {
            return Err(ResumeError::Log {
                run: event.run_id.clone(),
                problem: format!(
                    "event {expected} is missing before event {}",
                    event.sequence
                ),
            });
        }
        if event.node.is_none() {
            self.said = self.said.max(event.counter);
            if let EventKind::WorkflowStatus(payload) = &event.kind
                && let Some(cause) = payload.stopping
            {
                let reason = event.message.clone();
                self.steps.push(Step::Stop { cause, reason });
            }
            return Ok(());
        }
        match &event.kind {
            EventKind::NodeAwaitingInput(asked) => {
                let (request, until) = (&asked.request_id, asked.timeout_at);
                self.questions.was_asked(request, event.attempt, until);
            }
            EventKind::NodeInputReceived(received) => {
                let InputReceivedPayload {
                    request_id, answer, ..
                } = &**received;
                self.questions.was_answered(request_id, answer);
            }
            _ => {}
        }
        let item = event.node_id().and_then(|node| self.view.item_place(node));
        if let Some((place, index)) = item {
            let node = u32::try_from(place).unwrap_or(u32::MAX);
            let items = self.items.entry(node).or_default();
            items.entry(index).or_default().note(event);
            return Ok(());
        }
        // Nodes that are not planned are none of the scheduler's.
        let (Some(place), Some(before)) = (place, before) else {
            return Ok(());
        };
        let Some(seen) = self.seen.get_mut(place) else {
            return Ok(());
        };
        seen.note(event);
        let after = self.state(place);
        if before.is_final() || !after.is_final() {
            return Ok(());
        }
        let node = u32::try_from(place).unwrap_or(u32::MAX);
        let view = self.view.node_at(place);
        let how = match after {
            NodeState::Completed => Ended::Completed {
                outputs: view
                    .and_then(|view| view.outputs.clone())
                    .unwrap_or_default(),
                active: view.and_then(|view| view.active_ports.clone()),
            },
            NodeState::Failed => match view.and_then(|view| view.error.clone()) {
                Some(error) => Ended::Failed(error),
                None => return Ok(()),
            },
            NodeState::Cancelled => Ended::Cancelled,
            // The scheduler says itself who is skipped.
            _ => return Ok(()),
        };
        self.steps.push(Step::Ended { node, how });
        Ok(())
    }

    /// Where a node was when the log ended.
    pub(crate) fn state(&self, place: usize) -> NodeState {
        let view = self.view.node_at(place);
        view.map(|node| node.state).unwrap_or_default()
    }

    /// Puts into the outputs that are still to be read what the log holds elsewhere: large values
    /// come from artifact storage, secrets from their source.
    pub(crate) async fn load(
        &mut self,
        artifacts: &ArtifactStore,
        secrets: &Arc<dyn SecretSource>,
        masker: &Masker,
    ) -> Result<(), ResumeError> {
        let mut wanted = vec![false; self.plan.nodes.len()];
        for (place, node) in self.plan.nodes.iter().enumerate() {
            if !self.state(place).is_final() {
                for mapping in &node.mappings {
                    wanted[mapping.source.0 as usize] = true;
                }
            }
        }
        for step in &mut self.steps {
            let Step::Ended {
                node,
                how: Ended::Completed { outputs, .. },
            } = step
            else {
                continue;
            };
            let plan_node = &self.plan.nodes[*node as usize];
            *outputs = match wanted[*node as usize] {
                true => Loader {
                    artifacts,
                    secrets,
                    masker,
                }
                .outputs(&plan_node.output_ids, outputs)
                .await
                .map_err(|(port, problem)| ResumeError::Output {
                    node: plan_node.node.id.clone(),
                    port,
                    problem,
                })?,
                false => Arc::new(planned(&plan_node.output_ids, outputs)),
            };
        }
        Ok(())
    }

    /// How many attempts of each node, and of each item, ended with their process, those included
    /// that go on when the log ends.
    pub(crate) fn interrupted(&self) -> HashMap<NodeId, u32> {
        let runs = |state| matches!(state, NodeState::Running | NodeState::AwaitingInput);
        let count = |seen: &Seen, view: &NodeView| {
            seen.interrupted + u32::from(runs(view.state) && !seen.suspended)
        };
        let nodes = self.seen.iter().enumerate().filter_map(|(place, seen)| {
            let view = self.view.node_at(place)?;
            Some((view.node_id.clone(), count(seen, view)))
        });
        let items = self.items.iter().flat_map(|(node, items)| {
            let views = self.view.items_at(*node as usize);
            items.iter().filter_map(move |(index, seen)| {
                let view = views?.get(*index)?;
                Some((view.node_id.clone(), count(seen, view)))
            })
        });
        nodes.chain(items).filter(|(_, count)| *count > 0).collect()
    }

    /// What the nodes that run again are to know of their items.
    pub(crate) fn items_before(&self) -> HashMap<u32, BTreeMap<u32, Before>> {
        let of_node = |(node, items): (&u32, &BTreeMap<u32, Seen>)| {
            let views = self.view.items_at(*node as usize);
            let before = items.iter().filter_map(|(index, seen)| {
                let view = views?.get(*index)?;
                let ended = match (view.state, &view.outputs, &view.error) {
                    (NodeState::Completed, Some(outputs), _) => Some(Ok(outputs.clone())),
                    (NodeState::Failed, _, Some(error)) => Some(Err(error.clone())),
                    _ => None,
                };
                let runs = matches!(view.state, NodeState::Running | NodeState::AwaitingInput);
                let suspended = (runs && seen.suspended).then(|| {
                    let began = view.started_at.unwrap_or_else(Timestamp::now);
                    (began, seen.counter, seen.artifacts)
                });
                let before = Before {
                    attempt: view.attempt,
                    ended,
                    interrupted: seen.interrupted + u32::from(runs && !seen.suspended),
                    suspended,
                    retry_at: view.retry_at,
                };
                Some((*index, before))
            });
            (*node, before.collect())
        };
        self.items.iter().map(of_node).collect()
    }

    /// The time of the last event.
    pub(crate) fn last_time(&self) -> Option<Timestamp> {
        self.view.updated_at
    }
}

/// Outputs with the ports in the order of the plan, as those who read them by index expect.
pub(crate) fn planned(ids: &Arc<[PortId]>, recorded: &Outputs) -> Outputs {
    let values = ids.iter();
    let values: PortValues = values
        .map(|port| recorded.get(port.as_str()).cloned())
        .collect();
    Outputs {
        ports: ids.clone(),
        values,
        notes: recorded.notes.clone(),
    }
}

/// Fetches what the log holds elsewhere.
pub(crate) struct Loader<'a> {
    pub(crate) artifacts: &'a ArtifactStore,
    pub(crate) secrets: &'a Arc<dyn SecretSource>,
    pub(crate) masker: &'a Masker,
}

type Problem = (PortId, String);

impl Loader<'_> {
    /// The outputs of a node as those after it need them; or the port that cannot be had, and why.
    pub(crate) async fn outputs(
        &self,
        ids: &Arc<[PortId]>,
        recorded: &Outputs,
    ) -> Result<Arc<Outputs>, Problem> {
        let mut outputs = planned(ids, recorded);
        let Some(OutputNotes {
            refs,
            secrets,
            masked,
        }) = recorded.notes.as_deref()
        else {
            return Ok(Arc::new(outputs));
        };
        let mut known: BTreeMap<&SecretName, String> = BTreeMap::new();
        let named = masked
            .iter()
            .filter_map(|note| Some((&note.port, note.secret.as_ref()?)));
        for (port, name) in named {
            if !known.contains_key(name) {
                let value = self
                    .secret(name)
                    .await
                    .map_err(|problem| (port.clone(), problem))?;
                known.insert(name, value);
            }
        }
        for (index, port) in ids.iter().enumerate() {
            let at = |problem: String| (port.clone(), problem);
            if let Some(stored) = refs.get(port) {
                let value = self.value(stored).await.map_err(at)?;
                outputs.values.set(index, Value::from(value));
            }
            if let Some(name) = secrets.get(port) {
                let name = name.as_ref().ok_or_else(|| {
                    at("it is a secret that no secret source knows by a name".to_owned())
                })?;
                let value = self.secret(name).await.map_err(at)?;
                let secret = Secret::named(name.clone(), value);
                outputs.values.set(index, Value::new(secret));
            }
            let notes: Vec<_> = masked.iter().filter(|note| note.port == *port).collect();
            if !notes.is_empty() {
                let value = outputs.values.get(index).map(|value| value.json().cloned());
                let Some(Ok(mut tree)) = value else { continue };
                unmask(&mut tree, &notes, |name| known.get(name).cloned()).map_err(at)?;
                outputs.values.set(index, Value::from(tree));
            }
        }
        Ok(Arc::new(outputs))
    }

    async fn secret(&self, name: &SecretName) -> Result<String, String> {
        let value = self.secrets.resolve(name).await;
        let value = value.map_err(|error| error.to_string())?;
        self.masker.learn(Some(name), &value);
        Ok(value)
    }

    async fn value(&self, stored: &ValueRef) -> Result<Json, String> {
        let text = self.artifacts.get_bytes(&stored.location).await;
        let text = text.map_err(|error| error.to_string())?;
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", stored.location))
    }
}
