//! The layered layout that views draw: every edge of an acyclic workflow leads to a later layer.
//!
//! The steps are those of Sugiyama, Tagawa and Toda (1981), each of them near to linear in nodes
//! and edges, and each without chance: ranks by the longest path, with nodes moved towards their
//! targets where that shortens edges (`ranks`); an order within each layer from a depth-first walk,
//! mended by sweeps of barycentres as long as there is time for them (`order`); and places by
//! weighted isotonic regression, which keeps neighbours apart and chains straight (`place`).

mod draw;
mod model;
mod order;
mod place;
mod ranks;

pub use model::{Bends, Direction, Layout, LayoutOptions, NodePlace, Point};
