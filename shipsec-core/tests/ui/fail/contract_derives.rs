//! The derives that a contract needs besides its own.

use shipsec_core::Contract;

#[derive(Contract)]
#[contract(id = "test.bare.v1")]
struct Bare {
    title: String,
}

fn main() {}
