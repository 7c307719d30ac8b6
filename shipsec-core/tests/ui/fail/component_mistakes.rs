//! Every mistake in a component, told at once and at its place.

use shipsec_core::{ComponentError, Context, NoParams, NoPorts, Registry, component};

#[component(
    id = "Core.Splitter",
    version = "1.0",
    category = "",
    timeout = "soon",
    heartbeat_timeout = 0,
    execution = later,
    retry(max_attempts = 0, tries = 2),
    colour = "red"
)]
fn undocumented<T>(input: NoPorts, params: NoParams, cx: String) -> NoPorts {
    input
}

#[component()]
/// Takes too little.
async fn short(_: NoPorts) -> Result<NoPorts, ComponentError> {
    Ok(NoPorts {})
}

/// Takes nothing and gives nothing.
#[component(id = "test.empty", version = "1.0.0", category = "test")]
async fn empty() {}

/// Borrows.
#[component(id = "test.borrows", version = "1.0.0", category = "test")]
async fn borrows(_: &NoPorts, _: &mut NoParams, _: &Context) -> Result<NoPorts, ComponentError> {
    Ok(NoPorts {})
}

struct Holder;

impl Holder {
    /// Has a self.
    async fn method(&self, _: NoPorts, _: NoParams, _: &Context) {}
}

/// Not a function.
#[component(id = "test.holder", version = "1.0.0", category = "test")]
struct Other;

fn main() {
    let mut registry = Registry::new();
    // Those who use what did not compile see no error of their own.
    registry.register(Undocumented).unwrap();
    registry.register(Short).unwrap();
    registry.register(Empty).unwrap();
    registry.register(Borrows).unwrap();
}
