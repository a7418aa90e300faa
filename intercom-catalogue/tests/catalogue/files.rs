//! The file `events.lock`: held against a program, and written.

use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

use intercom_catalogue::{Lock, LockError};
use tempfile::TempDir;

use crate::billing;

/// A folder with a lock in it, of this text.
fn folder(text: Option<&str>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.lock");
    if let Some(text) = text {
        fs::write(&path, text).unwrap();
    }
    (folder, path)
}

#[test]
fn the_first_lock_is_written_and_then_holds() {
    let (_folder, path) = folder(None);
    let missing = billing().check_lock(&path).unwrap_err();
    assert!(matches!(missing, LockError::Missing(_)));
    assert!(missing.to_string().contains("UPDATE_EVENTS_LOCK=1 cargo test"), "{missing}");
    billing().update_lock(&path).unwrap();
    billing().check_lock(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), billing().lock().to_string());
}

#[test]
fn an_allowed_change_is_written_on_request() {
    let text = billing()
        .lock()
        .to_string()
        .replace("  key yearly boolean optional\n", "  key yearly boolean\n");
    let (_folder, path) = folder(Some(&text));
    let outdated = billing().check_lock(&path).unwrap_err();
    assert!(matches!(outdated, LockError::Outdated { .. }));
    assert!(outdated.to_string().contains("KEY_NOW_OPTIONAL invoice_paid.yearly"), "{outdated}");
    billing().update_lock(&path).unwrap();
    billing().check_lock(&path).unwrap();
}

#[test]
fn a_breaking_change_is_written_only_once_a_line_allows_it() {
    let text = billing()
        .lock()
        .to_string()
        .replace("key amount money", "key cents number\n  key amount money");
    let (_folder, path) = folder(Some(&text));
    for held in [billing().check_lock(&path), billing().update_lock(&path)] {
        let blocked = held.unwrap_err();
        assert!(matches!(blocked, LockError::Blocked { .. }));
        assert!(
            blocked.to_string().contains("allow KEY_REMOVED invoice_paid.cents \"why\""),
            "{blocked}"
        );
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "nothing is written");

    let allowed = format!("{text}allow KEY_REMOVED invoice_paid.cents \"never used\"\n");
    fs::write(&path, allowed).unwrap();
    assert!(billing().check_lock(&path).is_err(), "the lock is to be written in the same commit");
    billing().update_lock(&path).unwrap();
    billing().check_lock(&path).unwrap();
    let lock = Lock::parse(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(lock.allowed()[0].reason, "never used");
}

#[test]
fn a_current_lock_is_not_written() {
    let text = format!("# A note of ours.\n{}", billing().lock());
    let (_folder, path) = folder(Some(&text));
    billing().update_lock(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn an_empty_check_fails() {
    let (_folder, path) = folder(Some("version 1\n"));
    let nothing = billing().check_lock(&path).unwrap_err();
    assert!(matches!(nothing, LockError::Empty { .. }));
    let empty = Lock::parse("version 1").unwrap();
    for held in [empty.plan().check_lock(&path), empty.plan().update_lock(&path)] {
        assert!(held.unwrap_err().to_string().contains("the catalogue has no event"));
    }
}

#[test]
fn an_invalid_lock_is_refused_with_its_line() {
    let (_folder, path) = folder(Some("version 1\nevnt a\n"));
    for held in [billing().check_lock(&path), billing().update_lock(&path)] {
        let error = held.unwrap_err().to_string();
        assert!(error.contains("events.lock: line 2: `evnt` does not begin a line"), "{error}");
    }
}

#[test]
fn asserting_panics_with_the_same_sentence() {
    let (_folder, path) = folder(Some("version 1\nevnt a\n"));
    let panic = catch_unwind(|| billing().assert_lock(&path)).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("line 2"));
}
