//! The lock's rules, on real changes in the schemas of four companies. `histories/convert` made the
//! tables from the companies' own files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use intercom_catalogue::{Class, Lock, Review, Rule};
use intercom_core::ValueKind;

const METABASE: &str = include_str!("../histories/metabase.txt");
const IGLU_CENTRAL: &str = include_str!("../histories/iglu-central.txt");
const WIKIMEDIA: &str = include_str!("../histories/wikimedia.txt");
const GITLAB: &str = include_str!("../histories/gitlab.txt");

/// A version of a schema, as a lock.
struct Version<'a> {
    name: &'a str,
    version: &'a str,
    lock: String,
}

/// Converts a history. Leaves out lists, objects and keys of several types, which Intercom does not
/// take.
fn versions(history: &str) -> Vec<Version<'_>> {
    let mut versions: Vec<Version<'_>> = Vec::new();
    for line in history.lines().filter(|line| !line.is_empty()) {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["schema", name, version, _commit] => {
                let lock = format!("version 1\nevent {name}\n");
                versions.push(Version { name, version, lock });
            }
            [key, of_type, ref texts @ ..] => {
                let lock = &mut versions.last_mut().expect("a schema has keys").lock;
                let kind = match of_type.trim_end_matches('!') {
                    "string" => "text",
                    "integer" | "number" => "number",
                    "boolean" => "boolean",
                    "date-time" => "date",
                    "array" | "object" | "any" => continue,
                    other => panic!("`{other}` is not a type"),
                };
                let optional = if of_type.ends_with('!') { "" } else { " optional" };
                writeln!(lock, "  key {key} {kind}{optional}").unwrap();
                if !texts.is_empty() {
                    let texts: Vec<_> = texts.iter().map(|text| format!("{text:?}")).collect();
                    writeln!(lock, "    texts {}", texts.join(" ")).unwrap();
                }
            }
            _ => panic!("`{line}` is not a line of a history"),
        }
    }
    versions
}

/// Returns the changes between each version and the next.
fn reviews(history: &str) -> Vec<(String, Review)> {
    let versions = versions(history);
    let pairs = versions.windows(2).filter(|pair| pair[0].name == pair[1].name);
    let pairs = pairs.map(|pair| {
        let [before, after] = [&pair[0], &pair[1]];
        let [old, new] = [before, after].map(|version| Lock::parse(&version.lock).unwrap());
        let pair = format!("{} {} to {}", before.name, before.version, after.version);
        (pair, new.review_since(&old))
    });
    pairs.collect()
}

/// Counts the changes of each rule, and the pairs of versions with a change of each class.
fn check(history: &str, expected: Expect) {
    let reviews = reviews(history);
    let mut rules = BTreeMap::<_, usize>::new();
    let mut classes = BTreeMap::<_, usize>::new();
    for (_, review) in &reviews {
        let found = review.findings();
        for finding in found {
            *rules.entry((finding.rule.class(), finding.rule.id())).or_default() += 1;
        }
        for class in [Class::Break, Class::Frozen, Class::Note] {
            let has = found.iter().any(|finding| finding.rule.class() == class);
            *classes.entry(class).or_default() += usize::from(has);
        }
    }
    let mut table = format!("{} pairs of versions", reviews.len());
    for (class, count) in classes {
        write!(table, ", {count} {class}").unwrap();
    }
    for ((class, rule), count) in rules {
        write!(table, "\n{class:6} {rule} {count}").unwrap();
    }
    expected.assert_eq(&table);
}

struct Key {
    kind: ValueKind,
    optional: bool,
    texts: BTreeSet<String>,
}

fn keys(lock: &str) -> BTreeMap<String, Key> {
    let lock = Lock::parse(lock).unwrap();
    let keys = lock.plan().events()[0].keys.iter();
    let keys = keys.map(|key| {
        let texts = key.texts.iter().cloned().collect();
        (key.key.clone(), Key { kind: key.kind, optional: key.optional, texts })
    });
    keys.collect()
}

/// Returns the findings about values of renamed keys, which a plain comparison misses.
fn renamed_values(review: &Review) -> Vec<&'static str> {
    let renamed: Vec<_> = review
        .findings()
        .iter()
        .filter(|finding| finding.rule == Rule::KeyRenamed)
        .map(|finding| &finding.key)
        .collect();
    let of_renamed = review.findings().iter().filter(|finding| renamed.contains(&&finding.key));
    let whats = of_renamed.filter_map(|finding| match finding.rule {
        Rule::KeyNowOptional => Some("optional"),
        Rule::KeyNowRequired => Some("required"),
        Rule::TextAdded => Some("text added"),
        Rule::TextRemoved => Some("text removed"),
        _ => None,
    });
    whats.collect()
}

/// Returns the findings of a pair, as `RULE key`.
fn pair(history: &str, pair: &str) -> Vec<String> {
    let reviews = reviews(history);
    let (_, review) = reviews.iter().find(|(name, _)| name == pair).expect("there is such a pair");
    let found = review.findings().iter();
    found.map(|one| format!("{} {}", one.rule, one.key.as_deref().unwrap_or(&one.event))).collect()
}

#[test]
fn metabase() {
    check(
        METABASE,
        expect![[r#"
        30 pairs of versions, 6 break, 12 frozen, 18 note
        break  KEY_PUSHED_OUT 4
        break  KEY_REMOVED 14
        break  KEY_RENAMED 2
        break  TEXT_REMOVED 14
        frozen KEY_ADDED 30
        note   KEY_NOW_OPTIONAL 3
        note   KEY_NOW_REQUIRED 3
        note   TEXTS_CHANGED 5
        note   TEXT_ADDED 35"#]],
    );
}

#[test]
fn iglu_central() {
    check(
        IGLU_CENTRAL,
        expect![[r#"
        20 pairs of versions, 6 break, 13 frozen, 3 note
        break  KEY_PUSHED_OUT 3
        break  KEY_REMOVED 3
        break  KEY_RENAMED 7
        break  KIND_CHANGED 5
        frozen KEY_ADDED 30
        note   KEY_NOW_OPTIONAL 5
        note   TEXTS_CHANGED 1"#]],
    );
}

#[test]
fn wikimedia() {
    check(
        WIKIMEDIA,
        expect![[r#"
        11 pairs of versions, 2 break, 5 frozen, 7 note
        break  TEXT_REMOVED 2
        frozen KEY_ADDED 10
        note   KEY_NOW_OPTIONAL 1
        note   KEY_NOW_REQUIRED 1
        note   TEXT_ADDED 7"#]],
    );
}

/// Definitions change hands, and seldom their keys.
#[test]
fn gitlab() {
    check(
        GITLAB,
        expect![[r#"
        10 pairs of versions, 0 break, 2 frozen, 0 note
        frozen KEY_ADDED 3"#]],
    );
}

/// GitLab defines 1,224 events, ten times Intercom's limit.
#[test]
fn a_plan_of_ten_times_the_budget_locks_and_compares() {
    let plan = |events| {
        let mut lock = "version 1\n".to_owned();
        for number in 0..events {
            writeln!(lock, "event event_{number}\n  key project number optional\n  key label text")
                .unwrap();
        }
        Lock::parse(&lock).unwrap()
    };
    let (few, all) = (plan(100), plan(1_224));
    let review = all.review_since(&few);
    let count = |rule| review.findings().iter().filter(|finding| finding.rule == rule).count();
    assert_eq!((count(Rule::EventAdded), count(Rule::BudgetNear)), (1_124, 1));
    let near = review.findings().iter().find(|finding| finding.rule == Rule::BudgetNear).unwrap();
    assert_eq!(near.change, "1224 of 120 event names in use");
    let back = few.review_since(&all);
    assert_eq!(back.findings().len(), 1_124);
    assert!(back.findings().iter().all(|finding| finding.rule == Rule::EventRemoved));
    assert_eq!(Lock::parse(&all.to_string()).unwrap(), all);
    let page = all.plan().to_markdown();
    assert!((0..1_224).all(|number| page.contains(&format!("event_{number}"))));
}

/// The time grows with the number of events, and with no power of it.
#[test]
fn a_hundred_times_the_budget_is_reviewed_within_a_minute() {
    const EVENTS: usize = 12_240;
    let lock = |name: &str, line: fn(usize) -> String| {
        let events = (0..EVENTS).map(|number| format!("event {name}_{number}\n"));
        let lines = events.chain((0..EVENTS).map(line));
        Lock::parse(&format!("version 1\n{}", lines.collect::<String>())).unwrap()
    };
    let began = Instant::now();
    let old = lock("project_made", |_| String::new());
    let new = lock("project_created", |number| {
        let [was, now] = ["made", "created"].map(|verb| format!("project_{verb}_{number}"));
        format!("renamed {was} {now}\nallowed EVENT_RENAMED {was} \"why\"\n")
    });
    let gone = lock("project_removed", |number| {
        format!(
            "retired project_made_{number}\nallowed EVENT_REMOVED project_made_{number} \"why\"\n"
        )
    });
    let rules = |review: Review| {
        let mut rules = BTreeMap::<_, usize>::new();
        for finding in review.findings() {
            *rules.entry((finding.rule.id(), finding.allowed.is_some())).or_default() += 1;
        }
        assert_eq!(review.unused_allowances(), []);
        Vec::from_iter(rules)
    };
    assert_eq!(rules(new.review_since(&old)), [(("EVENT_RENAMED", true), EVENTS)]);
    assert_eq!(
        rules(gone.review_since(&old)),
        [(("EVENT_ADDED", false), EVENTS), (("EVENT_REMOVED", true), EVENTS)]
    );
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

/// Versions whose number promises no break, but which break filters on a key.
#[test]
fn breaks_despite_the_version_number_are_found() {
    assert_eq!(
        pair(IGLU_CENTRAL, "snowplow_geolocation_context 1-0-0 to 1-1-0")[..2],
        ["KIND_CHANGED latitude", "KIND_CHANGED longitude"]
    );
    assert_eq!(pair(METABASE, "metabase_search 1-0-0 to 1-0-1")[..1], ["KEY_RENAMED runtime"]);
    assert_eq!(
        pair(METABASE, "metabase_question 1-0-0 to 1-0-1")[..2],
        ["TEXT_REMOVED type", "TEXT_REMOVED type"]
    );
    let pushed_out: Vec<_> = pair(METABASE, "metabase_search 1-0-1 to 1-1-0")
        .into_iter()
        .filter_map(|one| one.strip_prefix("KEY_PUSHED_OUT ").map(str::to_owned))
        .collect();
    assert_eq!(pushed_out, ["last_edit_date", "verified_items", "search_native_queries"]);
}

/// Counts the same changes without the rules: what is in only one of two versions.
#[test]
fn the_rules_agree_with_a_plain_comparison() {
    for history in [METABASE, IGLU_CENTRAL, WIKIMEDIA, GITLAB] {
        let mut plain = BTreeMap::<_, usize>::new();
        let mut count = |what, by: usize| *plain.entry(what).or_default() += by;
        for pair in versions(history).windows(2).filter(|pair| pair[0].name == pair[1].name) {
            let [old, new] = [&pair[0], &pair[1]].map(|version| keys(&version.lock));
            count("added", new.keys().filter(|key| !old.contains_key(*key)).count());
            count("removed", old.keys().filter(|key| !new.contains_key(*key)).count());
            for (key, was) in &old {
                let Some(is) = new.get(key) else { continue };
                count("kind", usize::from(was.kind != is.kind));
                count("optional", usize::from(!was.optional && is.optional));
                count("required", usize::from(was.optional && !is.optional));
                if was.kind == is.kind && !was.texts.is_empty() && !is.texts.is_empty() {
                    count("text added", is.texts.difference(&was.texts).count());
                    count("text removed", was.texts.difference(&is.texts).count());
                }
            }
        }
        let mut found = BTreeMap::<_, usize>::new();
        for finding in reviews(history).iter().flat_map(|(_, review)| review.findings()) {
            let whats: &[_] = match finding.rule {
                Rule::KeyAdded => &["added"],
                Rule::KeyRemoved => &["removed"],
                Rule::KeyRenamed => &["added", "removed"],
                Rule::KindChanged => &["kind"],
                Rule::KeyNowOptional => &["optional"],
                Rule::KeyNowRequired => &["required"],
                Rule::TextAdded => &["text added"],
                Rule::TextRemoved => &["text removed"],
                _ => &[],
            };
            whats.iter().for_each(|what| *found.entry(*what).or_default() += 1);
        }
        // The values of a renamed key may differ too.
        let renames = reviews(history).into_iter().flat_map(|(_, review)| renamed_values(&review));
        renames.for_each(|what| *found.get_mut(what).unwrap() -= 1);
        plain.retain(|_, count| *count > 0);
        found.retain(|_, count| *count > 0);
        assert_eq!(found, plain);
    }
}

/// Versions whose number promises a break, but which change nothing.
#[test]
fn a_version_that_changes_nothing_has_no_finding() {
    for (history, name) in [
        (IGLU_CENTRAL, "snowplow_button_click 1-0-1 to 2-0-0"),
        (IGLU_CENTRAL, "snowplow_client_session 1-0-2 to 1-0-3"),
        (METABASE, "metabase_account 1-0-1 to 1-0-2"),
        (METABASE, "metabase_instance 1-1-2 to 1-1-3"),
        // They change only what Intercom does not take.
        (METABASE, "metabase_instance 1-1-1 to 1-1-2"),
        (IGLU_CENTRAL, "snowplow_identity 2-0-0 to 2-0-1"),
    ] {
        assert_eq!(pair(history, name), [""; 0], "{name}");
    }
}
