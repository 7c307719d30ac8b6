//! Showing a run: live on a terminal, as plain lines, as the log itself, and its end.

mod describe;
mod frame;
mod live;
mod plain;
mod style;
mod summary;
mod view;

pub(crate) use style::status_style;
pub(crate) use summary::{Ending, Tails, failed};
pub(crate) use view::View;
