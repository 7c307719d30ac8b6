//! What people see who make a mistake: locked in, every word and every place.
//!
//! After a change on purpose: `TRYBUILD=overwrite cargo test -p shipsec-core --test macros_ui`.

/// The words around ours are the compiler's, and change with it: raise the version here, look at
/// the difference, overwrite.
#[rustversion::attr(
    not(stable(1.95)),
    ignore = "the messages are those of Rust 1.95: run it with `cargo +1.95 test`"
)]
#[test]
fn mistakes_are_told_at_their_place_all_at_once() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}
