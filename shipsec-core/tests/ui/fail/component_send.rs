//! A component moves between threads while it waits.

use std::rc::Rc;

use shipsec_core::{ComponentError, Context, NoParams, NoPorts, component};

/// Holds what cannot cross threads while it waits.
#[component(id = "test.holds", version = "1.0.0", category = "test")]
async fn holds(_: NoPorts, _: NoParams, cx: &Context) -> Result<NoPorts, ComponentError> {
    let count = Rc::new(1);
    cx.cancelled().await;
    drop(count);
    Ok(NoPorts {})
}

fn main() {}
