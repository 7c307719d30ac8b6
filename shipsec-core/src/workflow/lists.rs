//! Neighbours of each node, as one array.

/// For each node a list of others, one after another in one array.
#[derive(Debug)]
pub(super) struct Lists {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    /// The second of each pair under its first, in the order of the pairs. Both are below `nodes`.
    pub(super) fn new(nodes: usize, pairs: impl Iterator<Item = (usize, usize)> + Clone) -> Self {
        let mut starts = vec![0_u32; nodes + 1];
        for (from, _) in pairs.clone() {
            starts[from + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut items = vec![0; starts[nodes] as usize];
        for (from, to) in pairs {
            items[next[from] as usize] = u32::try_from(to).unwrap_or(u32::MAX);
            next[from] += 1;
        }
        Self { starts, items }
    }

    /// The list of a node.
    pub(super) fn of(&self, node: usize) -> &[u32] {
        &self.items[self.range(node)]
    }

    /// Where the list of a node lies in the one array.
    pub(super) fn range(&self, node: usize) -> std::ops::Range<usize> {
        self.starts[node] as usize..self.starts[node + 1] as usize
    }
}
