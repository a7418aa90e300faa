//! Misuse that must not compile: one a file, with the error that its author reads.
//!
//! The expected errors are those of the Rust version that `rust-version` names. After a change, look at
//! each: is the caret on the user's own token, and does it say what to write instead?

#[test]
fn misuse_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("cases/*/*.rs");
}
