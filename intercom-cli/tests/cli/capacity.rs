//! An outbox with a capacity below the default size of a transaction.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Output};

use intercom_sqlite::SqliteOutbox;
use tempfile::TempDir;

use crate::setup::Setup;

/// Sends 25 events from a file, through an outbox that holds ten.
fn send(setup: &Setup, more: &[&str]) -> (Output, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("events.db");
    let context = setup.runtime.enter();
    drop(SqliteOutbox::builder(outbox).capacity(10).open().unwrap());
    drop(context);
    let mut lines = String::new();
    for second in 0..25 {
        let at = 1_796_117_400 + second;
        writeln!(lines, r#"{{"event_name":"a","user_id":"42","created_at":{at}}}"#).unwrap();
    }
    fs::write(folder.path().join("events.ndjson"), lines).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_intercom"))
        .args(["send", "--file", "events.ndjson", "--outbox", "events.db"])
        .args(more)
        .current_dir(folder.path())
        .env("XDG_CONFIG_HOME", setup.home())
        .output()
        .unwrap();
    (output, folder)
}

#[test]
fn events_are_delivered_through_a_small_outbox() {
    let setup = Setup::new(&[]);
    let (output, _folder) = send(&setup, &["--flush"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!((setup.sandbox.event_count(), setup.sandbox.duplicate_count()), (25, 0));
}

#[test]
fn a_full_outbox_names_the_first_refused_line() {
    let setup = Setup::new(&[]);
    let (output, _folder) = send(&setup, &[]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    // The lines that have arrived at the first transaction decide the sizes of the others.
    let printed = String::from_utf8(output.stdout).unwrap();
    let taken: u64 = printed.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(printed, format!("{taken} taken, up to line {taken}\n"));
    assert!((1..=10).contains(&taken), "{printed}");
    let told = String::from_utf8(output.stderr).unwrap();
    let refused = format!("nothing from line {} on was taken: the outbox is full", taken + 1);
    assert!(told.contains(&refused), "{told}");
}
