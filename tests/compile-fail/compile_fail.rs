//! Misuse that must not compile: one case a file, with the error that its author reads.
//!
//! The expected errors are those of the Rust that `rust-version` names, and the test compares them
//! to the letter. On another compiler, each case must fail with the same key words. After a change,
//! look at each error. Is the caret on the user's own token? Does it say what to write instead?

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn misuse_does_not_compile() {
    if compiler() == env!("CARGO_PKG_RUST_VERSION") {
        trybuild::TestCases::new().compile_fail("cases/*/*.rs");
        return;
    }
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let copies = tempfile::tempdir().expect("a folder");
    let all = files(&cases, "rs");
    assert!(all.len() > 100, "{} cases", all.len());
    let copy = |case: &Path| copies.path().join(case.strip_prefix(&cases).expect("a case"));
    for case in &all {
        fs::create_dir_all(copy(case).parent().expect("a folder")).expect("a folder");
        fs::copy(case, copy(case)).expect("a copy");
    }
    write_errors(copies.path());
    for case in &all {
        let expected = fs::read_to_string(case.with_extension("stderr")).expect("an expectation");
        let found = copy(case).with_extension("stderr");
        let found = fs::read_to_string(&found).unwrap_or_else(|_| panic!("{case:?} compiles"));
        let missing: Vec<_> =
            key_words(&expected).difference(&key_words(&found)).cloned().collect();
        assert!(missing.is_empty(), "{case:?} lacks {missing:?}:\n{found}");
    }
}

/// Runs trybuild in another process, which writes down the errors of this compiler.
fn write_errors(cases: &Path) {
    let status = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "errors_are_written", "--include-ignored"])
        .env("COMPILE_FAIL_CASES", cases)
        .env("TRYBUILD", "overwrite")
        .status()
        .expect("a process");
    assert!(status.success(), "a case compiles, or trybuild failed: see above");
}

#[test]
#[ignore = "the part of `misuse_does_not_compile` that needs an environment of its own"]
fn errors_are_written() {
    let cases = PathBuf::from(std::env::var_os("COMPILE_FAIL_CASES").expect("the cases' folder"));
    trybuild::TestCases::new().compile_fail(cases.join("*/*.rs"));
}

/// Returns the words between backticks in the lines that begin with `error`.
fn key_words(errors: &str) -> BTreeSet<String> {
    let heads = errors.lines().filter(|line| line.starts_with("error"));
    heads.flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path());
    let mut files = Vec::new();
    for path in entries {
        if path.is_dir() {
            files.extend(self::files(&path, extension));
        } else if path.extension().is_some_and(|its| its == extension) {
            files.push(path);
        }
    }
    files
}

/// Returns the version of the compiler, such as `1.95`.
fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("rustc runs");
    let version = String::from_utf8(output.stdout).expect("text");
    let number = version.split(' ').nth(1).expect("a version");
    number.rsplit_once('.').expect("three numbers").0.to_owned()
}
