//! Compares a lock with what a program sends now, change by change.

use std::collections::{HashMap, HashSet};
use std::fmt;

use intercom_core::Role;
use intercom_core::rules::fold;

use crate::lock::{Lock, Retired, subject};
use crate::plan::{Plan, PlannedEvent, PlannedKey};
use crate::rule::Rule;

/// Intercom keeps the first 10 keys of an event, the lowest number that its pages state.
const KEPT_KEYS: usize = 10;

/// A change, and the rule that covers it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// The event's name: the earlier name of a renamed event. `catalogue` for a change that
    /// concerns the number of event names.
    pub event: String,
    /// The key that changed: the earlier name of a renamed key. `None` for a change of the whole
    /// event.
    pub key: Option<String>,
    /// The change: the earlier and the later value.
    pub change: String,
    /// The reason in the lock's line that allows the change.
    pub allowed: Option<String>,
}

impl Finding {
    /// Returns whether the change needs an allowance and the lock has none.
    pub fn is_blocking(&self) -> bool {
        self.rule.class().needs_allowance() && self.allowed.is_none()
    }

    /// Returns the event, or `event.key`, quoted where a lock needs quotes.
    pub fn subject(&self) -> String {
        subject(&self.event, self.key.as_deref())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:6} {} {}: {}", self.rule.class(), self.rule, self.subject(), self.change)
    }
}

/// Returns every change between a lock and the locked part of a plan, event by event.
pub(crate) fn changes(old: &Lock, new: &Plan) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    let successors = Successors::of(new);
    let mut paired = HashSet::new();
    for event in &old.plan.events {
        match successors.pair(event) {
            None => found.of_event(Rule::EventRemoved, event, "the program no longer sends it"),
            Some(now) => {
                paired.insert(&now.name);
                compare_events(event, now, &mut found);
            }
        }
    }
    let retired = first_by_name(old.retired.iter().map(|retired| (&*retired.name, retired)));
    for event in new.events.iter().filter(|event| !paired.contains(&event.name)) {
        match retired.get(&fold(&event.name)) {
            Some(retired) => found.of_event(Rule::NameReused, event, &reused(retired)),
            None => {
                let count = event.keys.len();
                let keys = if count == 1 { "1 key".into() } else { format!("{count} keys") };
                found.of_event(Rule::EventAdded, event, &format!("new, with {keys}"));
            }
        }
    }
    for event in &new.events {
        let Some(was) = &event.was else { continue };
        let is_known = old.plan.event(was).is_some() || retired.contains_key(&fold(was));
        if !is_known {
            found.of_event(Rule::EarlierNameAdded, event, &format!("earlier name `{was}`"));
        }
    }
    compare_budgets(&old.plan, new, &mut found);
    found.0
}

/// The events of a plan, by their present and by their earlier names.
struct Successors<'a> {
    plan: &'a Plan,
    by_earlier_name: HashMap<String, &'a PlannedEvent>,
}

impl<'a> Successors<'a> {
    fn of(plan: &'a Plan) -> Self {
        let renamed = plan.events.iter().filter_map(|event| Some((event.was.as_deref()?, event)));
        Successors { plan, by_earlier_name: first_by_name(renamed) }
    }

    /// Returns the event as it is now, under the same or a new name.
    fn pair(&self, event: &PlannedEvent) -> Option<&'a PlannedEvent> {
        let now = self.plan.event(&event.name);
        now.or_else(|| self.by_earlier_name.get(&fold(&event.name)).copied())
    }
}

/// Returns the first item of each folded name.
pub(crate) fn first_by_name<'a, T>(
    items: impl IntoIterator<Item = (&'a str, T)>,
) -> HashMap<String, T> {
    let mut by_name = HashMap::new();
    for (name, item) in items {
        by_name.entry(fold(name)).or_insert(item);
    }
    by_name
}

fn reused(retired: &Retired) -> String {
    match &retired.successor {
        Some(successor) => format!("a retired name, now `{successor}`"),
        None => "a retired name".into(),
    }
}

fn compare_budgets(old: &Plan, new: &Plan, found: &mut Findings) {
    let (before, count, budget) = (old.events.len(), new.events.len(), new.budget);
    let of_catalogue = |rule, change| Finding {
        rule,
        event: "catalogue".into(),
        key: None,
        change,
        allowed: None,
    };
    if old.budget != budget {
        let change = format!("from {} event names to {budget}", old.budget);
        found.0.push(of_catalogue(Rule::BudgetChanged, change));
    }
    if count > before && count * 10 >= budget * 9 {
        let change = format!("{count} of {budget} event names in use");
        found.0.push(of_catalogue(Rule::BudgetNear, change));
    }
}

fn compare_events(old: &PlannedEvent, new: &PlannedEvent, found: &mut Findings) {
    let mut differs = |rule, change: String| found.of_event(rule, old, &change);
    if fold(&old.name) != fold(&new.name) {
        differs(Rule::EventRenamed, format!("now `{}`", new.name));
    } else if old.name != new.name {
        differs(Rule::NameCaseChanged, format!("now `{}`", new.name));
    }
    let (contact, time) = (contact_roles(&old.roles), contact_roles(&new.roles));
    if contact != time {
        differs(Rule::ContactRoleChanged, format!("from {} to {}", named(&contact), named(&time)));
    }
    let [had_time, has_time] = [old, new].map(|event| event.roles.contains(&Role::CreatedAt));
    if had_time != has_time {
        let change = match has_time {
            true => "from the moment of sending to a field",
            false => "from a field to the moment of sending",
        };
        differs(Rule::TimeRoleChanged, change.into());
    }
    if old.also != new.also {
        differs(Rule::DerivedChanged, format!("from {} to {}", list(&old.also), list(&new.also)));
    }
    if old.doc != new.doc {
        differs(Rule::DocChanged, format!("from {:?} to {:?}", old.doc, new.doc));
    }
    compare_keys(old, new, found);
}

fn contact_roles(roles: &[Role]) -> Vec<&'static str> {
    let mut roles: Vec<_> = roles.iter().filter(|role| **role != Role::CreatedAt).collect();
    roles.sort_unstable();
    roles.into_iter().map(|role| role.as_str()).collect()
}

fn named(roles: &[&str]) -> String {
    match roles {
        [] => "the caller's contact".into(),
        roles => roles.join(" and "),
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".into(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

fn compare_keys(old: &PlannedEvent, new: &PlannedEvent, found: &mut Findings) {
    let place = |keys: &[PlannedKey], key: &PlannedKey| {
        keys.iter().position(|other| fold(&other.key) == fold(&key.key))
    };
    // A key of the same kind in the same place replaced the other.
    let renamed = |at: usize, key: &PlannedKey| {
        let now = new.keys.get(at)?;
        (now.kind == key.kind && place(&old.keys, now).is_none()).then_some(now)
    };
    let mut taken = Vec::new();
    let mut places = Vec::new();
    for (at, key) in old.keys.iter().enumerate() {
        let Some(now_at) = place(&new.keys, key) else {
            match renamed(at, key) {
                Some(now) => {
                    taken.push(&now.key);
                    let change = format!("now `{}`", now.key);
                    found.of_key(Rule::KeyRenamed, old, key, change);
                    compare_values(old, key, now, found);
                }
                None => {
                    let change =
                        format!("a {} that the program no longer sends", key.kind.as_str());
                    found.of_key(Rule::KeyRemoved, old, key, change);
                }
            }
            continue;
        };
        let now = &new.keys[now_at];
        places.push(now_at);
        if key.key != now.key {
            found.of_key(Rule::KeyCaseChanged, old, key, format!("now `{}`", now.key));
        }
        if at < KEPT_KEYS && now_at >= KEPT_KEYS {
            let change = format!("from position {} to position {}", at + 1, now_at + 1);
            found.of_key(Rule::KeyPushedOut, old, key, change);
        }
        compare_values(old, key, now, found);
    }
    if !places.is_sorted() {
        let keys: Vec<_> = new.keys.iter().map(|key| key.key.clone()).collect();
        found.of_event(Rule::KeyOrderChanged, old, &format!("now {}", list(&keys)));
    }
    let added = new.keys.iter().filter(|key| place(&old.keys, key).is_none());
    for key in added.filter(|key| !taken.contains(&&key.key)) {
        let change = format!("a {} that the program now sends", key.kind.as_str());
        found.of_key(Rule::KeyAdded, old, key, change);
    }
}

fn compare_values(event: &PlannedEvent, old: &PlannedKey, new: &PlannedKey, found: &mut Findings) {
    let mut differs = |rule, change: String| found.of_key(rule, event, old, change);
    if old.kind != new.kind {
        let change = format!("from {} to {}", old.kind.as_str(), new.kind.as_str());
        differs(Rule::KindChanged, change);
    } else {
        compare_texts(&old.texts, &new.texts, &mut differs);
    }
    match (old.optional, new.optional) {
        (false, true) => differs(Rule::KeyNowOptional, "now optional".into()),
        (true, false) => differs(Rule::KeyNowRequired, "now in every event".into()),
        _ => {}
    }
    match (old.truncated, new.truncated) {
        (false, true) => differs(Rule::TruncationChanged, "now cuts long text".into()),
        (true, false) => differs(Rule::TruncationChanged, "now refuses long text".into()),
        _ => {}
    }
    match (old.sensitive, new.sensitive) {
        (false, true) => differs(Rule::SensitiveAdded, "now masked".into()),
        (true, false) => differs(Rule::SensitiveRemoved, "no longer masked".into()),
        _ => {}
    }
    if old.doc != new.doc {
        differs(Rule::DocChanged, format!("from {:?} to {:?}", old.doc, new.doc));
    }
}

fn compare_texts(old: &[String], new: &[String], differs: &mut impl FnMut(Rule, String)) {
    let missing_in = |other: &[String], text: &String| !other.is_empty() && !other.contains(text);
    for text in old.iter().filter(|text| missing_in(new, text)) {
        differs(Rule::TextRemoved, format!("no longer {text:?}"));
    }
    for text in new.iter().filter(|text| missing_in(old, text)) {
        differs(Rule::TextAdded, format!("now also {text:?}"));
    }
    let kept = old.iter().filter(|text| new.contains(text));
    let is_reordered = !kept.eq(new.iter().filter(|text| old.contains(text)));
    match (old.is_empty(), new.is_empty()) {
        (false, true) => differs(Rule::TextsChanged, "now any text".into()),
        (true, false) => differs(Rule::TextsChanged, format!("now one of {} texts", new.len())),
        _ if is_reordered => differs(Rule::TextsChanged, "the same texts in another order".into()),
        _ => {}
    }
}

struct Findings(Vec<Finding>);

impl Findings {
    fn of_event(&mut self, rule: Rule, event: &PlannedEvent, change: &str) {
        self.0.push(Finding {
            rule,
            event: event.name.clone(),
            key: None,
            change: change.to_owned(),
            allowed: None,
        });
    }

    fn of_key(&mut self, rule: Rule, event: &PlannedEvent, key: &PlannedKey, change: String) {
        self.0.push(Finding {
            rule,
            event: event.name.clone(),
            key: Some(key.key.clone()),
            change,
            allowed: None,
        });
    }
}
