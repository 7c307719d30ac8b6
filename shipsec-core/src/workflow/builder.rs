//! The typed builder: what does not fit does not compile, and what comes out is the same graph
//! that people write as JSON.

use std::marker::PhantomData;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::{
    ENTRYPOINT, EdgeKind, FailurePolicy, ForEach, Graph, GraphEdge, GraphNode, NodeData,
    RuntimeInput,
};
use crate::{
    NodeId, PortId, SecretName, WorkflowId,
    component::{Component, HandleRole, Ports},
    execute::RetrySettings,
    schedule::Join,
    value::{ConnectsTo, PortData, kinds},
};

/// The role of a handle that stands for an output of a node.
#[derive(Debug, Clone)]
pub struct OutputOf(NodeId);

/// The role of a handle that stands for an input of a node.
#[derive(Debug, Clone)]
pub struct InputOf(NodeId);

/// An output of a node, of the type `T`.
#[derive(Debug)]
pub struct Output<T> {
    node: NodeId,
    port: PortId,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Output<T> {
    fn clone(&self) -> Self {
        Self {
            node: self.node.clone(),
            port: self.port.clone(),
            of: PhantomData,
        }
    }
}

/// An input of a node, of the type `T`.
#[derive(Debug)]
pub struct Input<T> {
    node: NodeId,
    port: PortId,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Input<T> {
    fn clone(&self) -> Self {
        Self {
            node: self.node.clone(),
            port: self.port.clone(),
            of: PhantomData,
        }
    }
}

impl<T> Output<T> {
    /// The list that this output is where its node runs once for each item of another.
    pub fn collected(self) -> Output<Vec<T>> {
        Output {
            node: self.node,
            port: self.port,
            of: PhantomData,
        }
    }
}

impl HandleRole for OutputOf {
    type Handle<T: 'static> = Output<T>;

    fn handle<T: 'static>(&self, port: &'static str) -> Output<T> {
        Output {
            node: self.0.clone(),
            port: port.into(),
            of: PhantomData,
        }
    }
}

impl HandleRole for InputOf {
    type Handle<T: 'static> = Input<T>;

    fn handle<T: 'static>(&self, port: &'static str) -> Input<T> {
        Input {
            node: self.0.clone(),
            port: port.into(),
            of: PhantomData,
        }
    }
}

/// A node of the workflow that is being built.
#[derive(Debug, Clone)]
pub struct NodeHandle<I, O> {
    id: NodeId,
    ports: PhantomData<fn() -> (I, O)>,
}

impl<I: Ports, O: Ports> NodeHandle<I, O> {
    /// Its id.
    pub fn id(&self) -> &NodeId {
        &self.id
    }

    /// Its inputs, each in a field of the port's name.
    pub fn input(&self) -> I::Handles<InputOf> {
        I::handles(&InputOf(self.id.clone()))
    }

    /// Its outputs, each in a field of the port's name.
    pub fn output(&self) -> O::Handles<OutputOf> {
        O::handles(&OutputOf(self.id.clone()))
    }
}

/// Any node, whatever its ports.
pub trait AnyNode {
    /// Its id.
    fn node_id(&self) -> &NodeId;
}

impl<I, O> AnyNode for NodeHandle<I, O> {
    fn node_id(&self) -> &NodeId {
        &self.id
    }
}

/// Builds a workflow from typed components.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
/// use shipsec_core::{
///     ComponentError, Context, NoParams, Ports, component, workflow::WorkflowBuilder,
/// };
///
/// #[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
/// struct Greeting {
///     /// Who is greeted.
///     name: String,
/// }
///
/// #[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
/// struct Greeted {
///     /// The greeting.
///     text: String,
/// }
///
/// /// Greets somebody.
/// #[component(id = "demo.greet", version = "1.0.0", category = "demo")]
/// async fn greet(input: Greeting, _: NoParams, _: &Context) -> Result<Greeted, ComponentError> {
///     Ok(Greeted { text: format!("Hello, {}!", input.name) })
/// }
///
/// let mut workflow = WorkflowBuilder::new("Greeting");
/// let start = workflow.entrypoint::<Greeting>("start");
/// let hello = workflow.node("hello", &Greet, NoParams {});
/// workflow.connect(start.output().name, hello.input().name);
/// let graph = workflow.build();
/// assert_eq!(graph.edges.len(), 1);
/// ```
#[derive(Debug)]
pub struct WorkflowBuilder {
    graph: Graph,
}

impl WorkflowBuilder {
    /// A workflow without nodes.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            graph: Graph {
                name: name.into(),
                ..Graph::default()
            },
        }
    }

    fn graph(&mut self) -> &mut Graph {
        &mut self.graph
    }

    fn add(
        &mut self,
        id: &str,
        component: &str,
        version: Option<String>,
        params: Map<String, Json>,
    ) -> NodeId {
        let mut data = NodeData::default();
        data.config.params = params;
        let node = GraphNode {
            id: id.into(),
            component: component.into(),
            version,
            position: None,
            data,
            extra: Map::new(),
        };
        let id = node.id.clone();
        self.graph().nodes.push(node);
        id
    }

    /// Sets the workflow's stable name.
    pub fn id(&mut self, id: impl Into<WorkflowId>) -> &mut Self {
        self.graph().id = Some(id.into());
        self
    }

    /// Adds the entry point. The fields of `I` are what a run is given.
    pub fn entrypoint<I: Ports>(&mut self, id: &str) -> NodeHandle<crate::NoPorts, I> {
        let inputs: Vec<RuntimeInput> = I::specs()
            .into_iter()
            .map(|port| {
                let mut input = RuntimeInput::new(port.id, port.port_type);
                input.label = port.label;
                input.description = port.description;
                input.required = port.required;
                input.default = port.default;
                input
            })
            .collect();
        let mut params = Map::new();
        params.insert("runtimeInputs".to_owned(), json!(inputs));
        let id = self.add(id, ENTRYPOINT, None, params);
        NodeHandle {
            id,
            ports: PhantomData,
        }
    }

    /// Adds a node that runs a component with these parameters. Register the same component with
    /// the registry that compiles the graph.
    ///
    /// Parameters without JSON are left out; the compiler then reports what is missing.
    pub fn node<C: Component>(
        &mut self,
        id: &str,
        component: &C,
        params: C::Params,
    ) -> NodeHandle<C::Input, C::Output> {
        let info = component.info();
        let params = match serde_json::to_value(params) {
            Ok(Json::Object(params)) => params,
            _ => Map::new(),
        };
        let id = self.add(id, info.id, Some(info.version.to_owned()), params);
        NodeHandle {
            id,
            ports: PhantomData,
        }
    }

    fn edge(
        &mut self,
        (source, source_handle): (NodeId, Option<PortId>),
        (target, target_handle): (NodeId, Option<PortId>),
        kind: EdgeKind,
    ) {
        let graph = self.graph();
        graph.edges.push(GraphEdge {
            id: format!("e{}", graph.edges.len() + 1).into(),
            source,
            target,
            source_handle,
            target_handle,
            kind,
            extra: Map::new(),
        });
    }

    /// Connects an output to an input of a type that fits.
    pub fn connect<T, U>(&mut self, from: Output<T>, to: Input<U>) -> &mut Self
    where
        T: PortData,
        U: PortData,
        T::Kind: ConnectsTo<U::Kind>,
    {
        let (from, to) = ((from.node, Some(from.port)), (to.node, Some(to.port)));
        self.edge(from, to, EdgeKind::Success);
        self
    }

    /// Connects a list to an input of one item: the node runs once for each. `settings` says how
    /// many run at once, and what the failure of one does. Connect its outputs as lists, with
    /// [`Output::collected`].
    pub fn connect_each<T, U>(
        &mut self,
        from: Output<Vec<T>>,
        to: Input<U>,
        settings: impl FnOnce(ForEach) -> ForEach,
    ) -> &mut Self
    where
        T: PortData,
        U: PortData,
        T::Kind: ConnectsTo<U::Kind>,
    {
        let for_each = settings(ForEach::over(to.port.clone()));
        let node = self.graph.nodes.iter_mut().find(|node| node.id == to.node);
        if let Some(node) = node {
            node.data.config.for_each = Some(for_each);
        }
        let (from, to) = ((from.node, Some(from.port)), (to.node, Some(to.port)));
        self.edge(from, to, EdgeKind::Success);
        self
    }

    /// Connects an output to an input that takes one item for a list of one (`#[port(lift)]`).
    pub fn connect_lifted<T, U>(&mut self, from: Output<T>, to: Input<Vec<U>>) -> &mut Self
    where
        T: PortData,
        U: PortData,
        Vec<U>: PortData,
        T::Kind: ConnectsTo<U::Kind>,
    {
        let (from, to) = ((from.node, Some(from.port)), (to.node, Some(to.port)));
        self.edge(from, to, EdgeKind::Success);
        self
    }

    /// Passes all outputs of a node as one object.
    pub fn connect_whole<U>(&mut self, from: &impl AnyNode, to: Input<U>) -> &mut Self
    where
        U: PortData,
        kinds::Json: ConnectsTo<U::Kind>,
    {
        self.edge(
            (from.node_id().clone(), None),
            (to.node, Some(to.port)),
            EdgeKind::Success,
        );
        self
    }

    /// Starts a node only where this branching output is active.
    pub fn branch<T: PortData>(&mut self, from: Output<T>, to: &impl AnyNode) -> &mut Self {
        let to = (to.node_id().clone(), None);
        self.edge((from.node, Some(from.port)), to, EdgeKind::Success);
        self
    }

    /// Starts a node after another succeeded, and passes nothing.
    pub fn order(&mut self, first: &impl AnyNode, then: &impl AnyNode) -> &mut Self {
        self.plain(first, then, EdgeKind::Success)
    }

    /// Lets a node handle the failure of another.
    pub fn on_error(&mut self, of: &impl AnyNode, handler: &impl AnyNode) -> &mut Self {
        self.plain(of, handler, EdgeKind::Error)
    }

    /// Lets an input take the error of another node.
    pub fn error_into<U>(&mut self, of: &impl AnyNode, to: Input<U>) -> &mut Self
    where
        U: PortData,
        kinds::Json: ConnectsTo<U::Kind>,
    {
        self.edge(
            (of.node_id().clone(), None),
            (to.node, Some(to.port)),
            EdgeKind::Error,
        );
        self
    }

    /// Runs a node after another, however that ended.
    pub fn finally(&mut self, of: &impl AnyNode, clean_up: &impl AnyNode) -> &mut Self {
        self.plain(of, clean_up, EdgeKind::Finally)
    }

    fn plain(&mut self, from: &impl AnyNode, to: &impl AnyNode, kind: EdgeKind) -> &mut Self {
        self.edge(
            (from.node_id().clone(), None),
            (to.node_id().clone(), None),
            kind,
        );
        self
    }

    fn config(&mut self, node: &NodeId, set: impl FnOnce(&mut NodeData)) -> &mut Self {
        if let Some(node) = self
            .graph()
            .nodes
            .iter_mut()
            .find(|known| known.id == *node)
        {
            set(&mut node.data);
        }
        self
    }

    /// Sets an input by hand. A value without JSON is left out.
    pub fn set<T: PortData + Serialize>(&mut self, input: Input<T>, value: T) -> &mut Self {
        let json = serde_json::to_value(value).unwrap_or_default();
        self.config(&input.node, |data| {
            data.config.input_overrides.insert(input.port, json);
        })
    }

    /// Feeds a secret input from the host's secret source, by name.
    pub fn set_secret<T>(&mut self, input: Input<T>, name: impl Into<SecretName>) -> &mut Self
    where
        T: PortData<Kind = kinds::Secret>,
    {
        let reference = json!({ "secretRef": name.into() });
        self.config(&input.node, |data| {
            data.config.input_overrides.insert(input.port, reference);
        })
    }

    /// Sets a node's title.
    pub fn label(&mut self, node: &impl AnyNode, label: impl Into<String>) -> &mut Self {
        self.config(node.node_id(), |data| data.label = Some(label.into()))
    }

    /// Sets when a node with several incoming edges starts.
    pub fn join(&mut self, node: &impl AnyNode, join: Join) -> &mut Self {
        self.config(node.node_id(), |data| {
            data.config.join_strategy = Some(join.to_string())
        })
    }

    /// Sets how often a node is tried.
    pub fn retry(&mut self, node: &impl AnyNode, retry: RetrySettings) -> &mut Self {
        self.config(node.node_id(), |data| data.config.retry = Some(retry))
    }

    /// Sets the longest time of one attempt of a node, in seconds.
    pub fn timeout_seconds(&mut self, node: &impl AnyNode, seconds: f64) -> &mut Self {
        self.config(node.node_id(), |data| {
            data.config.timeout_seconds = Some(seconds)
        })
    }

    /// Puts a node into a concurrency group of which so many nodes run at once.
    pub fn group(&mut self, node: &impl AnyNode, group: &str, max_concurrency: u32) -> &mut Self {
        self.config(node.node_id(), |data| {
            data.config.group_id = Some(group.to_owned());
            data.config.max_concurrency = Some(max_concurrency);
        })
    }

    /// Sets the longest time of a run, in seconds.
    pub fn run_timeout_seconds(&mut self, seconds: f64) -> &mut Self {
        self.graph().config.timeout_seconds = Some(seconds);
        self
    }

    /// Sets how many nodes run at once.
    pub fn max_concurrency(&mut self, nodes: u32) -> &mut Self {
        self.graph().config.max_concurrency = Some(nodes);
        self
    }

    /// Sets what a failure that nothing handles does to the rest.
    pub fn failure_policy(&mut self, policy: FailurePolicy) -> &mut Self {
        self.graph().config.failure_policy = policy;
        self
    }

    /// The graph.
    pub fn build(self) -> Graph {
        self.graph
    }
}
