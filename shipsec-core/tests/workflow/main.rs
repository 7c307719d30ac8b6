//! From what people write to what executors run: reading, compiling, storing, laying out.

mod diagnostics;
mod hostile;
mod layout;
mod plan;
mod support;
