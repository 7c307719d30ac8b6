//! The time of each event, in about four bytes each.

use crate::event::Timestamp;

/// Events in one block at most.
const BLOCK: usize = 4096;

/// Times by sequence number, from 1; none is before the one before it.
#[derive(Debug, Default)]
pub(super) struct Times {
    blocks: Vec<Block>,
    /// Microseconds since the base of the event's block.
    since_base: Vec<u32>,
}

#[derive(Debug)]
struct Block {
    /// Index of its first event.
    first: usize,
    base: Timestamp,
}

impl Times {
    /// Takes the clock's time of the next event.
    pub(super) fn push(&mut self, clock: Timestamp) {
        let at = self.len() as u64;
        let time = self.of(at).map_or(clock, |last| last.max(clock));
        let index = self.since_base.len();
        let block = self
            .blocks
            .last()
            .filter(|block| index - block.first < BLOCK);
        let since = block.and_then(|block| {
            let micros = i128::from(time.as_micros()) - i128::from(block.base.as_micros());
            u32::try_from(micros).ok()
        });
        if since.is_none() {
            self.blocks.push(Block {
                first: index,
                base: time,
            });
        }
        self.since_base.push(since.unwrap_or(0));
    }

    pub(super) fn len(&self) -> usize {
        self.since_base.len()
    }

    /// The time of the event with this number.
    pub(super) fn of(&self, sequence: u64) -> Option<Timestamp> {
        let index = usize::try_from(sequence.checked_sub(1)?).ok()?;
        let since = *self.since_base.get(index)?;
        let after = self.blocks.partition_point(|block| block.first <= index);
        let block = self.blocks.get(after.checked_sub(1)?)?;
        Some(at(block, since))
    }

    /// The last event whose time is not after `time`; 0 where all are.
    pub(super) fn last_at(&self, time: Timestamp) -> u64 {
        let after = self.blocks.partition_point(|block| block.base <= time);
        let Some(block) = after.checked_sub(1).and_then(|at| self.blocks.get(at)) else {
            return 0;
        };
        let end = self.blocks.get(after).map_or(self.len(), |next| next.first);
        let within = &self.since_base[block.first..end];
        let count = within.partition_point(|since| at(block, *since) <= time);
        (block.first + count) as u64
    }

    pub(super) fn bytes(&self) -> usize {
        self.since_base.capacity() * size_of::<u32>() + self.blocks.capacity() * size_of::<Block>()
    }
}

fn at(block: &Block, since: u32) -> Timestamp {
    Timestamp::from_micros(block.base.as_micros().saturating_add(i64::from(since)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    proptest! {
        #[test]
        fn it_answers_as_a_list_of_running_maxima_does(
            clocks in prop::collection::vec(
                prop_oneof![any::<i64>(), 0..50_i64, 5_000_000_000_i64..5_000_000_050], 0..60),
            asked in any::<i64>(),
        ) {
            let mut times = Times::default();
            let mut maxima: Vec<Timestamp> = Vec::new();
            for clock in &clocks {
                let clock = Timestamp::from_micros(*clock);
                times.push(clock);
                maxima.push(maxima.last().map_or(clock, |last| clock.max(*last)));
            }
            prop_assert_eq!(times.of(0), None);
            prop_assert_eq!(times.of(maxima.len() as u64 + 1), None);
            let asked = clocks.iter().copied().chain([asked, i64::MIN, i64::MAX]);
            for (sequence, time) in (1..).zip(&maxima) {
                prop_assert_eq!(times.of(sequence), Some(*time));
            }
            for asked in asked.map(Timestamp::from_micros) {
                let expected = maxima.iter().take_while(|time| **time <= asked).count();
                prop_assert_eq!(times.last_at(asked), expected as u64);
            }
        }
    }

    #[test]
    fn blocks_end_where_they_are_full() {
        let mut times = Times::default();
        for micros in 0..3 * BLOCK as i64 {
            times.push(Timestamp::from_micros(micros));
        }
        assert_eq!(times.blocks.len(), 3);
        for sequence in [1, BLOCK as u64, BLOCK as u64 + 1, 3 * BLOCK as u64] {
            let time = Timestamp::from_micros(sequence as i64 - 1);
            assert_eq!(times.of(sequence), Some(time));
            assert_eq!(times.last_at(time), sequence);
        }
    }
}
