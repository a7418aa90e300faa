//! The rules, as a table of locks and findings.

use expect_test::expect;
use intercom_catalogue::{Class, Lock, Rule};

use crate::billing;

fn lock(lines: &str) -> Lock {
    Lock::parse(&format!("version 1\n{lines}")).unwrap()
}

/// Returns the findings between two locks, as `RULE subject`.
fn found(before: &str, after: &str) -> Vec<String> {
    let review = lock(after).review_since(&lock(before));
    review
        .findings()
        .iter()
        .map(|finding| format!("{} {}", finding.rule, finding.subject()))
        .collect()
}

/// Ten keys.
const TEN: &str = "
key k1 text
key k2 text
key k3 text
key k4 text
key k5 text
key k6 text
key k7 text
key k8 text
key k9 text
key k10 text
";

#[test]
fn each_rule_covers_its_change_and_no_other() {
    let eleven_first = format!("event a\nkey new text\n{TEN}");
    let ten = format!("event a\n{TEN}");
    let many = |count| (0..count).map(|n| format!("event e{n}\n")).collect::<String>();
    let table: &[(&str, &str, &[&str])] = &[
        ("event a\nevent b", "event a\nretired b", &["EVENT_REMOVED b"]),
        ("event a", "event b\nrenamed a b", &["EVENT_RENAMED a"]),
        ("event a", "event b", &["EVENT_REMOVED a", "EVENT_ADDED b"]),
        ("event a\nretired b", "event a\nevent b", &["NAME_REUSED b"]),
        ("event a\nrenamed b a", "event a\nevent B", &["NAME_REUSED B"]),
        ("event a email", "event a user_id", &["CONTACT_ROLE_CHANGED a"]),
        ("event a email", "event a", &["CONTACT_ROLE_CHANGED a"]),
        ("event a email user_id", "event a user_id email", &[]),
        ("event a\nkey k text", "event a", &["KEY_REMOVED a.k"]),
        (
            "event a\nkey k text\nkey l text",
            "event a\nkey m text\nkey l text",
            &["KEY_RENAMED a.k"],
        ),
        ("event a\nkey k text", "event a\nkey m number", &["KEY_REMOVED a.k", "KEY_ADDED a.m"]),
        (
            "event a\nkey k text\nkey l text",
            "event a\nkey l text\nkey m text",
            &["KEY_REMOVED a.k", "KEY_ADDED a.m"],
        ),
        ("event a\nkey k text", "event a\nkey k number", &["KIND_CHANGED a.k"]),
        ("event a\nkey k text", "event a\nkey k link", &["KIND_CHANGED a.k"]),
        (&ten, &eleven_first, &["KEY_PUSHED_OUT a.k10", "KEY_ADDED a.new"]),
        ("event a\nkey k text sensitive", "event a\nkey k text", &["SENSITIVE_REMOVED a.k"]),
        ("event a\nkey k text\ntexts x y", "event a\nkey k text\ntexts y", &["TEXT_REMOVED a.k"]),
        ("event a\nkey k text\ntexts x", "event a\nkey k text\ntexts x y", &["TEXT_ADDED a.k"]),
        (
            "event a\nkey k text\ntexts x",
            "event a\nkey k text\ntexts X",
            &["TEXT_REMOVED a.k", "TEXT_ADDED a.k"],
        ),
        ("event a\nkey k text\ntexts x y", "event a\nkey k text", &["TEXTS_CHANGED a.k"]),
        ("event a\nkey k text", "event a\nkey k text\ntexts x y", &["TEXTS_CHANGED a.k"]),
        (
            "event a\nkey k text\ntexts x y",
            "event a\nkey k text\ntexts y x",
            &["TEXTS_CHANGED a.k"],
        ),
        ("event a\nkey k text\ntexts x", "event a\nkey k number", &["KIND_CHANGED a.k"]),
        ("event a\nkey k text", "event a\nkey k text\nkey l text", &["KEY_ADDED a.l"]),
        ("event a", "event a\nevent b\nkey k text", &["EVENT_ADDED b"]),
        ("event a", "event a\nevent b\nrenamed c b", &["EVENT_ADDED b", "EARLIER_NAME_ADDED b"]),
        ("event a", "budget 90\nevent a", &["BUDGET_CHANGED catalogue"]),
        (&many(107), &many(108), &["EVENT_ADDED e107", "BUDGET_NEAR catalogue"]),
        (&many(106), &many(107), &["EVENT_ADDED e106"]),
        ("event a", "event A", &["NAME_CASE_CHANGED a"]),
        ("event a", "event a created_at", &["TIME_ROLE_CHANGED a"]),
        ("event a", "event a\nalso b", &["DERIVED_CHANGED a"]),
        (
            "event a\nkey k text\nkey l text",
            "event a\nkey l text\nkey k text",
            &["KEY_ORDER_CHANGED a"],
        ),
        ("event a\nkey k text", "event a\nkey K text", &["KEY_CASE_CHANGED a.k"]),
        ("event a\nkey k text", "event a\nkey k text optional", &["KEY_NOW_OPTIONAL a.k"]),
        ("event a\nkey k text optional", "event a\nkey k text", &["KEY_NOW_REQUIRED a.k"]),
        ("event a\nkey k text", "event a\nkey k text truncated", &["TRUNCATION_CHANGED a.k"]),
        ("event a\nkey k text truncated", "event a\nkey k text", &["TRUNCATION_CHANGED a.k"]),
        ("event a\nkey k text", "event a\nkey k text sensitive", &["SENSITIVE_ADDED a.k"]),
        ("event a\nkey k text", "event a \"Doc.\"\nkey k text", &["DOC_CHANGED a"]),
        ("event a\nkey k text", "event a\nkey k text \"Doc.\"", &["DOC_CHANGED a.k"]),
        ("event a\nkey k text", "# The same.\nevent a\nkey k text", &[]),
        ("event \"a b\"\nkey \"k k\" text", "event \"a b\"", &["KEY_REMOVED \"a b.k k\""]),
    ];
    for (before, after, verdict) in table {
        assert_eq!(found(before, after), *verdict, "from\n{before}\nto\n{after}");
    }
    let is_covered = |rule: &Rule| {
        let mut verdicts = table.iter().flat_map(|(.., verdicts)| verdicts.iter());
        verdicts.any(|verdict| verdict.split(' ').next() == Some(rule.id()))
    };
    let missing: Vec<_> = Rule::ALL.iter().filter(|rule| !is_covered(rule)).collect();
    assert!(missing.is_empty(), "the table has no change for {missing:?}");
}

#[test]
fn breaks_and_frozen_changes_need_a_line_and_notes_need_none() {
    for rule in Rule::ALL {
        assert_eq!(rule.class().needs_allowance(), rule.class() != Class::Note);
        assert_eq!(Rule::by_id(rule.id()), Some(*rule));
        assert!(rule.sentence().ends_with(['.', '"']) && rule.fix().ends_with('.'), "{rule}");
    }
    let review = lock("event a\nkey k text optional").review_since(&lock("event a\nkey k text"));
    assert!(!review.is_blocked() && !review.is_current());
    let review = lock("event a").review_since(&lock("event a\nkey k text"));
    assert!(review.is_blocked());
    let review = lock("event a").review_since(&lock("event a"));
    assert!(!review.is_blocked() && review.is_current());
}

#[test]
fn a_line_with_a_reason_allows_a_change_once() {
    let before = lock("event a\nkey k text\nkey l text\nallow KEY_REMOVED a.k \"sales asked\"");
    let plan = lock("event a\nkey l text");
    let review = before.review(plan.plan());
    assert!(!review.is_blocked(), "{review}");
    assert_eq!(review.findings()[0].allowed.as_deref(), Some("sales asked"));

    let after = review.updated_lock();
    assert!(after.pending().is_empty());
    assert_eq!(after.allowed()[0].to_string(), "KEY_REMOVED a.k \"sales asked\"");
    assert!(
        after.review(plan.plan()).is_current(),
        "an earlier allowance stays, and blocks nothing"
    );

    // For a whole branch, the line that is new in its lock allows the change.
    assert!(!after.review_since(&before).is_blocked());
    let without = lock("event a\nkey l text");
    assert!(without.review_since(&before).is_blocked());
    let next = lock("event a\nallowed KEY_REMOVED a.k \"sales asked\"");
    assert!(next.review_since(after).is_blocked(), "an old line allows no new change");
}

#[test]
fn an_unused_allowance_blocks() {
    for allow in ["KEY_REMOVED a.l", "KEY_REMOVED b.k", "KIND_CHANGED a.k", "KEY_REMOVED a"] {
        let before = lock(&format!("event a\nkey k text\nallow {allow} \"why\""));
        let review = before.review(lock("event a").plan());
        assert!(review.is_blocked());
        assert_eq!(review.unused_allowances().len(), 1);
        let unchanged = before.review(before.plan());
        assert!(unchanged.is_blocked() && !unchanged.is_current());
        assert!(unchanged.to_string().contains("allows no change: remove the line"), "{unchanged}");
    }
}

#[test]
fn a_retired_name_is_kept_and_cannot_return() {
    let before = lock("event a\nevent b\nallow EVENT_REMOVED b \"unused\"");
    let after = before.review(lock("event a").plan()).updated_lock().clone();
    assert_eq!(after.retired()[0].name, "b");
    let back = after.review(lock("event a\nevent b").plan());
    assert!(back.is_blocked());
    assert_eq!(back.findings()[0].rule, Rule::NameReused);
}

#[test]
fn an_event_with_an_earlier_name_is_that_event() {
    let text = billing().lock().to_string();
    let before = text.replace("event invoice_paid", "event invoice_settled");
    let before = before.replace("\nrenamed invoice_settled invoice_paid\n", "");
    let review = Lock::parse(&before).unwrap().review(&billing());
    let rules: Vec<_> = review.findings().iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, [Rule::EventRenamed]);
    assert_eq!(review.updated_lock().to_string(), text);
}

#[test]
fn the_review_lists_each_change_with_its_effect_and_its_fix() {
    let before = lock(
        "event invoice_paid email\nkey amount number\nkey seats number\nkey plan text\nallow KEY_REMOVED invoice_paid.seats \"sales asked\"\nallow KEY_REMOVED invoice_paid.plan \"too early\"",
    );
    let after =
        lock("event invoice_paid email\nkey amount money\nkey plan text optional\nkey note text");
    expect![[r#"
        break  KIND_CHANGED invoice_paid.amount: from number to money
               Intercom keeps the first kind of a key. Filters compare the new values by that kind.
               Fix: Keep the kind. Or send the new kind under a new key of a new event.
               Or allow it by a line in the lock: allow KIND_CHANGED invoice_paid.amount "why"
        break  KEY_REMOVED invoice_paid.seats: a number that the program no longer sends
               allowed: sales asked
        frozen KEY_ADDED invoice_paid.note: a text that the program now sends
               Intercom says: "It is not possible to change the metadata keys once the event has been sent; a new event will need to be created with the new keys."
               Fix: Send a new event with the key. Or allow the change: Intercom can take 24 hours to show the key.
               Or allow it by a line in the lock: allow KEY_ADDED invoice_paid.note "why"
        note   KEY_NOW_OPTIONAL invoice_paid.plan: now optional
        unused `allow KEY_REMOVED invoice_paid.plan "too early"` allows no change: remove the line
    "#]]
    .assert_eq(&before.review(after.plan()).to_string());
}
