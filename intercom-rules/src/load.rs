//! Loads rules: checks them against a catalogue, and sorts them by event.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use intercom_core::rules::fold;
use intercom_core::{Catalogue, DataEvent, EventName};

use crate::check::Check;
use crate::condition::{Expression, Leaf};
use crate::error::RulesError;
use crate::evaluate::{self, MAX_KEYS, is_same_key};
use crate::explain::{Explanation, RuleExplanation};
use crate::rule::{Rule, Spotted};

/// Loaded rules. Cheap to clone. The default has no rule.
#[derive(Clone, Default)]
pub struct Rules(Arc<Loaded>);

#[derive(Default)]
struct Loaded {
    /// The rules by the folded name of their event.
    by_event: HashMap<Box<str>, OfEvent>,
}

/// All rules on one event, in their order.
#[derive(Default)]
struct OfEvent {
    /// The keys that the conditions test.
    keys: Vec<String>,
    rules: Vec<Ready>,
}

struct Ready {
    name: Arc<str>,
    when: Expression,
    also_send: Vec<(EventName, Option<Vec<String>>)>,
    rename: Option<EventName>,
    drops: bool,
}

/// The result of applying rules to an event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Applied {
    /// The renamed event. `None` if no rule renames the event, or one drops it.
    pub renamed: Option<DataEvent>,
    /// The name of the first rule that drops the event. `None` if no rule drops it.
    pub dropped_by: Option<Arc<str>>,
    /// The derived events, in the order of the rules.
    pub derived: Vec<DataEvent>,
}

impl Rules {
    /// Returns a builder of rules in code.
    pub fn builder() -> RulesBuilder {
        RulesBuilder { rules: Vec::new() }
    }

    /// Returns the names of the rules that drop events.
    pub fn dropping(&self) -> impl Iterator<Item = &str> {
        let rules = self.0.by_event.values().flat_map(|of_event| &of_event.rules);
        rules.filter(|rule| rule.drops).map(|rule| &*rule.name)
    }

    /// Applies the rules to an event. Returns `None` when no rule matches.
    pub fn apply(&self, event: &DataEvent) -> Option<Applied> {
        let of_event = self.of(event.event_name())?;
        let values = evaluate::values(event.metadata(), &of_event.keys);
        let leaf = |leaf: &Leaf| evaluate::holds(leaf, values[leaf.slot]);
        let mut matching = of_event.rules.iter().filter(|rule| rule.when.holds(&leaf)).peekable();
        matching.peek()?;
        let mut applied = Applied { renamed: None, dropped_by: None, derived: Vec::new() };
        let mut rename = None;
        for rule in matching {
            if rule.drops && applied.dropped_by.is_none() {
                applied.dropped_by = Some(rule.name.clone());
            }
            rename = rename.or(rule.rename.as_ref());
            for (name, keys) in &rule.also_send {
                let derived = event.renamed(name.clone());
                applied.derived.push(match keys {
                    None => derived,
                    Some(keys) => derived.with_keys(|key| keys.iter().any(|k| is_same_key(k, key))),
                });
            }
        }
        if applied.dropped_by.is_none() {
            applied.renamed = rename.map(|name| event.renamed(name.clone()));
        }
        Some(applied)
    }

    /// Explains each rule on events of this event's name: whether it matches, and why. The result
    /// has no value of the event.
    pub fn explain(&self, event: &DataEvent) -> Explanation {
        let Some(of_event) = self.of(event.event_name()) else { return Explanation::default() };
        let values = evaluate::values(event.metadata(), &of_event.keys);
        let rules = of_event.rules.iter().map(|rule| {
            let leaf = |leaf: &Leaf| evaluate::holds(leaf, values[leaf.slot]);
            RuleExplanation::new(&rule.name, &rule.when, rule.when.holds(&leaf), |one| {
                (evaluate::holds(one, values[one.slot]), values[one.slot].is_some())
            })
        });
        Explanation { rules: rules.collect() }
    }

    /// Returns whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.0.by_event.is_empty()
    }

    /// Finds the rules on events of this name. Skips folding a folded name.
    fn of(&self, name: &str) -> Option<&OfEvent> {
        let by_event = &self.0.by_event;
        if let Some(found) = by_event.get(name) {
            return Some(found);
        }
        let is_folded = name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
        if is_folded {
            return None;
        }
        by_event.iter().find(|(on, _)| is_same_key(on, name)).map(|(_, found)| found)
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.by_event.iter();
        let names =
            names.map(|(on, of)| (on, of.rules.iter().map(|rule| &rule.name).collect::<Vec<_>>()));
        f.debug_map().entries(names).finish()
    }
}

/// Builds rules in code. [`Rules::builder`] returns it.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct RulesBuilder {
    pub(crate) rules: Vec<Rule>,
}

impl RulesBuilder {
    /// Adds a rule. Rules apply in this order.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Checks the rules against a catalogue, and loads them.
    ///
    /// # Errors
    ///
    /// Fails when a rule names an event or a key that the catalogue does not have. Fails when the
    /// event that an action makes does not fit the catalogue's type of that name. Fails as
    /// [`build_unchecked`](Self::build_unchecked) does. The error has all mistakes.
    pub fn build(self, catalogue: &Catalogue) -> Result<Rules, RulesError> {
        load(self.rules, Some(catalogue), None)
    }

    /// Loads the rules of a program that has no catalogue. This does not check names of events and
    /// keys, nor kinds of values, against the program's types.
    ///
    /// # Errors
    ///
    /// Fails when a rule has no action, both renames and drops, or has a condition that can never
    /// hold. Fails when Intercom would refuse an action's event name. Fails when the rules on one
    /// event test more than 20 keys, because no event has more.
    pub fn build_unchecked(self) -> Result<Rules, RulesError> {
        load(self.rules, None, None)
    }
}

/// Checks rules, and loads them if none has a mistake. `text` is their source.
pub(crate) fn load(
    rules: Vec<Rule>,
    catalogue: Option<&Catalogue>,
    text: Option<&str>,
) -> Result<Rules, RulesError> {
    let mut check = Check { catalogue, text, mistakes: Vec::new() };
    let mut loaded = Loaded::default();
    for (number, rule) in (1..).zip(rules) {
        let event = check.event(&rule.on, "`on`");
        check.actions(&rule, event);
        let Rule { name, on, when, also_send, rename, drops, .. } = rule;
        let mut when = Expression::All(when);
        when.leaves().into_iter().for_each(|leaf| check.leaf(leaf, event));
        let folded = fold(&on.0).into_boxed_str();
        let of_event = loaded.by_event.entry(folded).or_default();
        when.leaves_mut(&mut |leaf| {
            let known = of_event.keys.iter().position(|known| is_same_key(known, &leaf.key));
            leaf.slot = known.unwrap_or_else(|| {
                of_event.keys.push(leaf.key.clone());
                of_event.keys.len() - 1
            });
        });
        if of_event.keys.len() > MAX_KEYS {
            let message = format!(
                "the rules on `{}` are about more than {MAX_KEYS} keys, and no event has as many",
                on.0
            );
            check.mistake(on.1, message);
        }
        let name = name.unwrap_or_else(|| format!("rule {number} on {}", on.0));
        let mut event_name = |name: Spotted<String>| check.name(name);
        let also_send = also_send.into_iter().filter_map(|also| {
            let keys = also.keys.map(|keys| keys.into_iter().map(|key| key.0).collect());
            Some((event_name(also.name)?, keys))
        });
        let also_send = also_send.collect();
        let rename = rename.and_then(event_name);
        of_event.rules.push(Ready { name: name.into(), when, also_send, rename, drops });
    }
    let Check { mut mistakes, .. } = check;
    mistakes.sort_by_key(|mistake| mistake.position);
    if mistakes.is_empty() { Ok(Rules(Arc::new(loaded))) } else { Err(RulesError::new(mistakes)) }
}
