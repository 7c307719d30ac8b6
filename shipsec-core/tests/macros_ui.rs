//! What people see who make a mistake: locked in, every word and every place.
//!
//! After a change on purpose: `TRYBUILD=overwrite cargo test -p shipsec-core --test macros_ui`.

#[test]
fn mistakes_are_told_at_their_place_all_at_once() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
