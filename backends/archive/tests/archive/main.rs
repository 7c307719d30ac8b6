//! Archives: written, read, imported, and hostile.

mod files;
mod import;
mod support;
