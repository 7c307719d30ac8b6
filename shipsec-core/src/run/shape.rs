//! The planned nodes and edges, made once from the definition and shared by all copies of a view.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::{NodeId, workflow::Definition};

/// Which place a planned node has, and which edges leave it.
#[derive(Debug, PartialEq)]
pub(super) struct Shape {
    pub(super) definition: Arc<Definition>,
    pub(super) places: HashMap<NodeId, u32>,
    /// The edges that leave place `p` are `leaving[first[p]..first[p + 1]]`.
    first: Vec<u32>,
    leaving: Vec<u32>,
}

impl Shape {
    /// The shape of a definition. Its nodes are numbered in the order of its actions; a node
    /// without an action comes last, and a name that is there twice counts once.
    pub(super) fn new(definition: Arc<Definition>) -> (Self, Vec<NodeId>) {
        let mut places = HashMap::with_capacity(definition.actions.len());
        let mut order = Vec::with_capacity(definition.actions.len());
        let actions = definition.actions.iter().map(|action| &action.node);
        for id in actions.chain(definition.nodes.keys()) {
            let next = order.len() as u32;
            places.entry_ref(id).or_insert_with(|| {
                order.push(id.clone());
                next
            });
        }
        let source = |edge: usize| places.get(&definition.edges[edge].source_ref).copied();
        let mut first = vec![0u32; order.len() + 1];
        for place in (0..definition.edges.len()).filter_map(source) {
            first[place as usize + 1] += 1;
        }
        for place in 1..first.len() {
            first[place] += first[place - 1];
        }
        let mut next = first.clone();
        let mut leaving = vec![0u32; first.last().map_or(0, |all| *all as usize)];
        for edge in 0..definition.edges.len() {
            if let Some(place) = source(edge) {
                let at = &mut next[place as usize];
                leaving[*at as usize] = edge as u32;
                *at += 1;
            }
        }
        let shape = Self {
            definition,
            places,
            first,
            leaving,
        };
        (shape, order)
    }

    /// The edges that leave a place, by index in the definition; none for a node that is not
    /// planned.
    pub(super) fn leaving(&self, place: usize) -> &[u32] {
        match (self.first.get(place), self.first.get(place + 1)) {
            (Some(from), Some(to)) => &self.leaving[*from as usize..*to as usize],
            _ => &[],
        }
    }
}
