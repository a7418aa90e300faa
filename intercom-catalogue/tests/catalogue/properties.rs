//! Properties of every lock.

use intercom_catalogue::Lock;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Returns a name as in a lock, in quotes where needed.
fn name() -> impl Strategy<Value = String> {
    let bare = "[a-z]{1,3}(_[a-z0-9]{1,2})?".prop_map(|name| name);
    let other = "[a-z#\"\\\\ é]{1,5}"
        .prop_filter("is no name", |name| name.trim() == name && !name.is_empty());
    prop_oneof![4 => bare, 1 => other].prop_map(|name| {
        match name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            true => name,
            false => serde_json::Value::from(name).to_string(),
        }
    })
}

fn doc() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[A-Z][a-z ]{0,9}\\.".prop_map(|doc| format!(" \"{doc}\""))]
}

fn key() -> impl Strategy<Value = String> {
    let kind = select(vec!["text", "number", "boolean", "date", "link", "rich_link", "money"]);
    let marks = subsequence(vec!["optional", "truncated", "sensitive"], 0..=3);
    (name(), kind, marks, doc(), vec(name(), 0..4)).prop_map(|(name, kind, marks, doc, texts)| {
        let marks: String = marks.iter().map(|mark| format!(" {mark}")).collect();
        let texts = match kind {
            "text" if !texts.is_empty() => format!("    texts {}\n", texts.join(" ")),
            _ => String::new(),
        };
        format!("  key {name} {kind}{marks}{doc}\n{texts}")
    })
}

fn event() -> impl Strategy<Value = String> {
    let roles = subsequence(vec!["user_id", "email", "contact_id", "created_at"], 0..=4);
    (name(), roles, doc(), vec(key(), 0..12), vec(name(), 0..2)).prop_map(
        |(name, roles, doc, keys, also)| {
            let roles: String = roles.iter().map(|role| format!(" {role}")).collect();
            let also: String = also.iter().map(|also| format!("  also {also}\n")).collect();
            format!("event {name}{roles}{doc}\n{}{also}", keys.concat())
        },
    )
}

/// A lock. Draws again when two names are equal.
fn lock() -> impl Strategy<Value = Lock> {
    let budget =
        prop_oneof![Just(String::new()), (1..=120).prop_map(|budget| format!("budget {budget}\n"))];
    (budget, vec(event(), 1..4)).prop_filter_map("a name is there twice", |(budget, events)| {
        Lock::parse(&format!("version 1\n{budget}{}", events.concat())).ok()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_lock_read_back_is_itself(lock in lock()) {
        let text = lock.to_string();
        let read = Lock::parse(&text);
        prop_assert_eq!(read.as_ref().map(ToString::to_string), Ok(text));
        prop_assert_eq!(read, Ok(lock));
    }

    #[test]
    fn no_change_gives_no_finding(lock in lock()) {
        let review = lock.review(lock.plan());
        prop_assert!(review.findings().is_empty() && review.is_current() && !review.is_blocked());
        prop_assert_eq!(review.updated_lock(), &lock);
    }

    #[test]
    fn every_change_gives_a_finding_and_the_next_lock_has_it(before in lock(), after in lock()) {
        let review = before.review(after.plan());
        prop_assert_eq!(review.findings().is_empty(), before.plan() == after.plan());
        prop_assert_eq!(review.is_current(), before.plan() == after.plan());
        let next = review.updated_lock();
        prop_assert_eq!(next.plan(), after.plan());
        prop_assert!(next.review(after.plan()).is_current());
    }

    #[test]
    fn a_lock_that_allows_all_that_blocks_is_not_blocked(before in lock(), after in lock()) {
        let review = before.review(after.plan());
        let blocking = review.findings().iter().filter(|finding| finding.is_blocking());
        let allow: String =
            blocking.map(|finding| format!("allow {} {} \"why\"\n", finding.rule, finding.subject())).collect();
        let allowing = Lock::parse(&format!("{before}{allow}"));
        prop_assert!(allowing.is_ok(), "{:?}", allowing);
        let allowing = allowing.unwrap().review(after.plan());
        prop_assert!(!allowing.is_blocked(), "{}", allowing);
    }
}
