//! Colours and signs. A state is told by sign and text; colour only helps.

use std::{borrow::Cow, io};

use anstyle::{AnsiColor, Style};
use shipsec_core::{
    event::{Level, WorkflowStatus},
    run::NodeState,
};

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const PLAIN: Style = Style::new();
pub(super) const CHOSEN: Style = Style::new().invert();

/// Whether standard output is to have colours. A picture moves the cursor all the same, so that
/// only its lines may lose what looks like colour.
pub(super) fn colours() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// A line with its colours, or without.
pub(super) fn line(line: &str, colours: bool) -> Cow<'_, str> {
    match colours {
        true => line.into(),
        false => anstream::adapter::strip_str(line).to_string().into(),
    }
}

const fn coloured(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(anstyle::Color::Ansi(colour)))
}

/// The colours of what came, went and changed.
pub(super) const ADDED: Style = coloured(AnsiColor::Green);
pub(super) const REMOVED: Style = coloured(AnsiColor::Red);
pub(super) const CHANGED: Style = coloured(AnsiColor::Yellow);

/// The colour of a run's status.
pub(crate) fn status_style(status: WorkflowStatus) -> Style {
    match status {
        WorkflowStatus::Completed => coloured(AnsiColor::Green),
        WorkflowStatus::Failed | WorkflowStatus::TimedOut | WorkflowStatus::Terminated => {
            coloured(AnsiColor::Red)
        }
        WorkflowStatus::Cancelled => coloured(AnsiColor::Yellow),
        WorkflowStatus::Running | WorkflowStatus::AwaitingInput => coloured(AnsiColor::Cyan),
        _ => DIM,
    }
}

/// The colour of a node's state.
pub(super) fn state_style(state: NodeState) -> Style {
    match state {
        NodeState::Running | NodeState::AwaitingInput => coloured(AnsiColor::Cyan),
        NodeState::Retrying | NodeState::Cancelled => coloured(AnsiColor::Yellow),
        NodeState::Completed => coloured(AnsiColor::Green),
        NodeState::Failed => coloured(AnsiColor::Red),
        _ => DIM,
    }
}

/// The colour of a level.
pub(super) fn level_style(level: Level) -> Style {
    match level {
        Level::Error => coloured(AnsiColor::Red),
        Level::Warn => coloured(AnsiColor::Yellow),
        Level::Debug => DIM,
        Level::Info => PLAIN,
    }
}

/// The sign of a node's state; what runs turns with each `tick`.
pub(super) fn state_sign(state: NodeState, tick: usize) -> char {
    const TURNING: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
    match state {
        NodeState::Running => TURNING[tick % TURNING.len()],
        NodeState::Retrying => '↻',
        NodeState::AwaitingInput => '?',
        NodeState::Completed => '✓',
        NodeState::Failed => '✗',
        NodeState::Skipped => '-',
        NodeState::Cancelled => '■',
        _ => '·',
    }
}

/// The word for a node's state.
pub(super) fn state_word(state: NodeState) -> &'static str {
    match state {
        NodeState::Pending => "pending",
        NodeState::Running => "running",
        NodeState::Retrying => "retrying",
        NodeState::AwaitingInput => "awaiting input",
        NodeState::Completed => "completed",
        NodeState::Failed => "failed",
        NodeState::Skipped => "skipped",
        NodeState::Cancelled => "cancelled",
        _ => "in a state that this version does not know",
    }
}
