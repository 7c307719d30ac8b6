//! A growing list whose copies share what neither of them has changed since.

use std::sync::Arc;

/// A list in shared chunks of at most `SIZE` items: copying it copies pointers, and writing to a
/// copy copies one chunk.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chunks<T, const SIZE: usize = 64> {
    chunks: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T, const SIZE: usize> Default for Chunks<T, SIZE> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
        }
    }
}

impl<T, const SIZE: usize> Chunks<T, SIZE> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.chunks.get(at / SIZE)?.get(at % SIZE)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &T> + Clone {
        // Every index below the length is there; the map only tells the compiler its length.
        (0..self.len).map(|at| &self.chunks[at / SIZE][at % SIZE])
    }

    /// Bytes of the list of chunks, which no copy shares.
    pub(super) fn spine_bytes(&self) -> usize {
        self.chunks.len() * size_of::<Arc<Vec<T>>>()
    }

    /// The chunks that `other` does not share, each with the index of its first item.
    pub(super) fn unshared<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (usize, &'a [T])> + 'a {
        let chunks = self.chunks.iter().enumerate();
        let own = chunks.filter(|(at, chunk)| {
            let theirs = other.chunks.get(*at);
            theirs.is_none_or(|theirs| !Arc::ptr_eq(chunk, theirs))
        });
        own.map(|(at, chunk)| (at * SIZE, chunk.as_slice()))
    }
}

impl<T: Clone, const SIZE: usize> Chunks<T, SIZE> {
    /// So many items, all the same.
    pub(super) fn filled(item: T, len: usize) -> Self {
        let chunk = |at: usize| Arc::new(vec![item.clone(); SIZE.min(len - at * SIZE)]);
        Self {
            chunks: (0..len.div_ceil(SIZE)).map(chunk).collect(),
            len,
        }
    }

    pub(super) fn push(&mut self, item: T) {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < SIZE => Arc::make_mut(chunk).push(item),
            _ => self.chunks.push(Arc::new(vec![item])),
        }
        self.len += 1;
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        Arc::make_mut(self.chunks.get_mut(at / SIZE)?).get_mut(at % SIZE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 64;

    #[test]
    fn a_copy_shares_the_chunks_that_nobody_changed() {
        let mut list = Chunks::<_, SIZE>::default();
        for item in 0..3 * SIZE {
            list.push(item);
        }
        let before = list.clone();
        *list.get_mut(SIZE + 1).unwrap() = 7;
        list.push(1);
        let shared = |at: usize| Arc::ptr_eq(&list.chunks[at], &before.chunks[at]);
        assert_eq!([shared(0), shared(1), shared(2)], [true, false, true]);
        let own: Vec<_> = list.unshared(&before).map(|(at, _)| at).collect();
        assert_eq!(own, [SIZE, 3 * SIZE]);
        assert_eq!(before.get(SIZE + 1), Some(&(SIZE + 1)));
        assert_eq!((list.len(), before.len()), (3 * SIZE + 1, 3 * SIZE));
        assert!(before.iter().copied().eq(0..3 * SIZE));
        assert_eq!(before.get(3 * SIZE), None);
    }

    #[test]
    fn a_filled_list_is_one_that_was_pushed() {
        for len in [0, 1, SIZE - 1, SIZE, SIZE + 1, 2 * SIZE] {
            let mut pushed = Chunks::<_, SIZE>::default();
            (0..len).for_each(|_| pushed.push('x'));
            assert_eq!(Chunks::filled('x', len), pushed);
        }
    }
}
