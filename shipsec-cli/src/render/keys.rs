//! What keys do to somebody who looks at a replay.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use shipsec_core::{
    NodeId,
    run::replay::{Playback, Timeline},
};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// Play or pause.
    Toggle,
    /// So many events forward, or back where negative.
    Step(i64),
    /// So many nodes down, or up where negative.
    Choose(isize),
    /// The next change of the chosen node, or the previous one.
    Change {
        /// Not back.
        forward: bool,
    },
    /// Twice as fast, or half.
    Speed {
        /// Not slower.
        faster: bool,
    },
    /// Shorten gaps, or leave them as they were.
    Gaps,
    /// The first event.
    Home,
    /// The last event.
    End,
    /// Leave.
    Quit,
    /// Leave, as every program does.
    Interrupt,
}

impl Key {
    /// What a key asks for; `None` where it is nothing.
    pub(crate) fn of(key: KeyEvent) -> Option<Self> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        Some(match key.code {
            KeyCode::Char('c') if control => Self::Interrupt,
            _ if control => return None,
            KeyCode::Char(' ') => Self::Toggle,
            KeyCode::Left => Self::Step(-1),
            KeyCode::Right => Self::Step(1),
            KeyCode::PageUp => Self::Step(-100),
            KeyCode::PageDown => Self::Step(100),
            KeyCode::Up => Self::Choose(-1),
            KeyCode::Down => Self::Choose(1),
            KeyCode::Char('n') => Self::Change { forward: true },
            KeyCode::Char('p') => Self::Change { forward: false },
            KeyCode::Char('+' | '=') => Self::Speed { faster: true },
            KeyCode::Char('-' | '_') => Self::Speed { faster: false },
            KeyCode::Char('g') => Self::Gaps,
            KeyCode::Home => Self::Home,
            KeyCode::End => Self::End,
            KeyCode::Char('q') | KeyCode::Esc => Self::Quit,
            _ => return None,
        })
    }
}

/// Where a viewer is, and what they look at.
#[derive(Debug)]
pub(crate) struct Viewer {
    /// Where.
    pub(crate) playback: Playback,
    /// Which node.
    pub(crate) chosen: Option<NodeId>,
}

impl Viewer {
    /// Does what a key asks for. Whoever steps looks closely: it pauses.
    pub(crate) fn by(&mut self, key: Key, timeline: &Timeline) {
        /// What gaps are shortened to by the key.
        const GAP: std::time::Duration = std::time::Duration::from_secs(1);
        let playback = &mut self.playback;
        match key {
            Key::Toggle if playback.is_playing() => playback.pause(),
            Key::Toggle => {
                // At the end of a run that is over there is only the beginning.
                let over = timeline.view().status.is_final();
                if over && playback.sequence() == timeline.last() {
                    playback.jump(timeline, 0);
                }
                playback.play();
            }
            Key::Step(events) => {
                playback.pause();
                playback.step(timeline, events);
            }
            Key::Home => playback.jump(timeline, 1),
            Key::End => {
                playback.jump(timeline, u64::MAX);
            }
            Key::Speed { faster: true } => playback.set_speed(playback.speed().faster()),
            Key::Speed { faster: false } => playback.set_speed(playback.speed().slower()),
            Key::Gaps => {
                let longest = playback.longest_gap();
                playback.set_longest_gap(longest.is_none().then_some(GAP));
            }
            Key::Choose(nodes) => {
                let view = timeline.view();
                let place = self.chosen.as_ref().and_then(|chosen| {
                    let mut ids = view.nodes();
                    ids.position(|(id, _)| id == chosen)
                });
                let place = match place {
                    Some(place) => place.saturating_add_signed(nodes),
                    None => 0,
                };
                let last = view.nodes().len().saturating_sub(1);
                let node = view.nodes().nth(place.min(last));
                self.chosen = node.map(|(id, _)| id.clone());
            }
            Key::Change { forward } => {
                playback.pause();
                let Some(node) = &self.chosen else { return };
                let (node, at) = (node.as_str(), playback.sequence());
                let change = match forward {
                    true => timeline.next_change(node, at),
                    false => timeline.previous_change(node, at),
                };
                if let Some(sequence) = change {
                    playback.jump(timeline, sequence);
                }
            }
            Key::Quit | Key::Interrupt => {}
        }
    }
}
