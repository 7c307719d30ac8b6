//! A growing list whose copies share what neither of them has changed since.

use std::sync::Arc;

/// How many items are copied at most for one that changes.
const CHUNK: usize = 64;

/// A list in shared chunks: copying it copies pointers, and writing to a copy copies one chunk.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chunks<T> {
    chunks: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Chunks<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &T> + Clone {
        // Every index below the length is there; the map only tells the compiler its length.
        (0..self.len).map(|at| &self.chunks[at / CHUNK][at % CHUNK])
    }
}

impl<T: Clone> Chunks<T> {
    pub(super) fn push(&mut self, item: T) {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => Arc::make_mut(chunk).push(item),
            _ => self.chunks.push(Arc::new(vec![item])),
        }
        self.len += 1;
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        Arc::make_mut(self.chunks.get_mut(at / CHUNK)?).get_mut(at % CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_shares_the_chunks_that_nobody_changed() {
        let mut list = Chunks::default();
        for item in 0..3 * CHUNK {
            list.push(item);
        }
        let before = list.clone();
        *list.get_mut(CHUNK + 1).unwrap() = 7;
        list.push(1);
        let shared = |at: usize| Arc::ptr_eq(&list.chunks[at], &before.chunks[at]);
        assert_eq!([shared(0), shared(1), shared(2)], [true, false, true]);
        assert_eq!(before.get(CHUNK + 1), Some(&(CHUNK + 1)));
        assert_eq!((list.len(), before.len()), (3 * CHUNK + 1, 3 * CHUNK));
        assert!(before.iter().copied().eq(0..3 * CHUNK));
        assert_eq!(before.get(3 * CHUNK), None);
    }
}
