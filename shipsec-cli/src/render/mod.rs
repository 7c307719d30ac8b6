//! Showing a run: live on a terminal, as plain lines, as the log itself, its end, and any moment
//! of it.

mod changes;
mod describe;
mod frame;
mod keys;
mod live;
mod plain;
mod replay;
mod screen;
mod style;
mod summary;
mod view;

pub(crate) use changes::{markdown as changes_in_markdown, text as changes_in_text};
pub(crate) use keys::{Key, Viewer};
pub(crate) use replay::{Scene, state};
pub(crate) use screen::Screen;
pub(crate) use style::status_style;
pub(crate) use summary::{Ending, Tails, failed};
pub(crate) use view::View;
