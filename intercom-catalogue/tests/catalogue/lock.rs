//! The lock's text.

use expect_test::expect;
use intercom_catalogue::{Lock, Plan};
use intercom_core::catalogue;

use crate::billing;

#[test]
fn a_lock_has_a_line_a_key_in_wire_order_and_events_by_name() {
    expect![[r##"
        # What this program sends to Intercom. A test writes this file: UPDATE_EVENTS_LOCK=1 cargo test
        # Change the events, not this file. A change that breaks something needs a line here, with a reason:
        #   allow KEY_REMOVED invoice_paid.seats "why"
        version 1

        event "Big invoice paid" "A large one."
          key share number

        event invoice_paid user_id email created_at "A customer paid an invoice."
          key amount money "What was paid."
          key due_date date optional
          key note text truncated sensitive
          key receipt rich_link
          key plan text optional "Its \"name\" | label."
          key yearly boolean optional
          key paid_by text optional
            texts card "bank transfer"
          also "Big invoice paid"

        renamed invoice_settled invoice_paid
    "##]]
    .assert_eq(&billing().lock().to_string());
}

#[test]
fn a_lower_budget_has_a_line() {
    catalogue! {
        #[budget(90)]
        static FEW: crate::BigInvoicePaid
    }
    let lock = Plan::of(&FEW).lock();
    assert!(lock.to_string().contains("\nversion 1\nbudget 90\n"), "{lock}");
    assert_eq!(Lock::parse(&lock.to_string()).unwrap(), lock);
}

#[test]
fn a_lock_reads_back_as_written() {
    let text = r#"
        # A comment.
        version 1
        event b
        event "a b" email "Doc."
          key "k k" text
        retired "old one"
        renamed older b
        allowed KEY_REMOVED b.k "asked for"
        allow EVENT_REMOVED "a b" "why \"not\""
        allow KEY_REMOVED "a b.k k" "gone"
    "#;
    let lock = Lock::parse(text).unwrap();
    let names: Vec<_> = lock.plan().events().iter().map(|event| &*event.name).collect();
    assert_eq!(names, ["a b", "b"]);
    assert_eq!(lock.retired()[0].name, "old one");
    assert_eq!(lock.pending()[0].reason, "why \"not\"");
    assert_eq!(lock.pending()[1].key.as_deref(), Some("k k"));
    assert_eq!(Lock::parse(&lock.to_string()).unwrap(), lock);
}

/// An accented letter is one character, or a letter and a combining accent. Nobody sees which.
#[test]
fn names_and_keys_that_look_alike_are_one() {
    for (line, twin) in
        [("event caf\u{e9}", "event Cafe\u{301}"), ("key caf\u{e9} text", "key cafe\u{301} text")]
    {
        let text = format!("version 1\nevent a\n{line}\n{twin}\n");
        let error = Lock::parse(&text).unwrap_err();
        assert_eq!(error.line(), 4, "{error}");
        assert!(error.to_string().contains("is there already"), "{error}");
    }
}

#[test]
fn an_invalid_line_is_refused_with_its_number() {
    let wrong = |line: &str| {
        let text = format!("version 1\nevent a\n  key k text\n{line}\n");
        let error = Lock::parse(&text).unwrap_err();
        assert_eq!(error.line(), 4, "{error}");
        error.to_string()
    };
    for (line, problem) in [
        ("evnt b", "`evnt` does not begin a line: expected `version`, `budget`, `event`"),
        ("event", "an event's name is missing"),
        ("event A", "event `A` is there already: remove one"),
        ("event b mail", "`mail` is not a role"),
        ("event b \"doc\" email", "`email` does not belong in this line"),
        ("key k text", "key `k` is there already in this event"),
        ("key l string", "`string` is not a kind: expected one of `text`, `number`"),
        ("key l", "the kind of the key's values is missing"),
        ("key l text secret", "`secret` is not a mark"),
        ("key l text \"doc", "the text in quotes does not end"),
        ("texts", "the texts are missing"),
        ("texts x x", "the text `x` is there twice: remove one"),
        ("budget 121", "a budget is a number from 1 to 120, not `121`"),
        ("version 2", "the version of this lock is `2`, and this program reads version 1"),
        ("allow KEY_LOST a.k \"why\"", "`KEY_LOST` is not a rule"),
        ("allow KEY_REMOVED a.k", "a reason in quotes is missing"),
        ("allow KEY_REMOVED a.k \" \"", "a reason in quotes is missing"),
        ("<<<<<<< HEAD", "a merge conflict of git"),
        ("=======", "a merge conflict of git"),
    ] {
        let error = wrong(line);
        assert!(error.starts_with("line 4: ") && error.contains(problem), "{line}: {error}");
    }
    assert_eq!(Lock::parse("version 1\nkey k text").unwrap_err().line(), 2);
    for (lines, problem) in [
        ("texts x", "`texts` has no `event` line above it"),
        ("event a\ntexts x", "`texts` has no `key` line above it"),
        ("event a\nkey k number\ntexts x", "the values of `k` are not text: remove the line"),
        ("event a\nkey k text\ntexts x\ntexts y", "the texts of `k` are there already"),
    ] {
        let error = Lock::parse(&format!("version 1\n{lines}")).unwrap_err().to_string();
        assert!(error.contains(problem), "{lines}: {error}");
    }
    assert_eq!(Lock::parse("").unwrap_err().to_string(), "line 1: the line `version 1` is missing");
    assert!(
        Lock::parse("event a")
            .unwrap_err()
            .to_string()
            .contains("the first line must be `version 1`")
    );
}
