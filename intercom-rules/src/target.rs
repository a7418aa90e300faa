//! Checks an action's event against the catalogue's type: keys, their kinds, and required keys.

use intercom_core::{EventDescription, KeyDescription};

use crate::check::{Check, in_words};
use crate::condition::Expression;
use crate::evaluate::is_same_key;
use crate::rule::Spotted;

/// The event of an action.
pub(crate) struct Target<'a> {
    /// The event that meets the rule.
    pub(crate) of: &'static EventDescription,
    /// The name in the action.
    pub(crate) name: &'a Spotted<String>,
    /// The catalogue's event of this name.
    pub(crate) known: &'static EventDescription,
    pub(crate) keys: Keys<'a>,
    /// The conditions of the rule.
    pub(crate) when: &'a [Expression],
}

/// The keys of the event.
pub(crate) enum Keys<'a> {
    /// All keys, because a rename keeps all.
    Renamed,
    /// All keys, because the rule selects none.
    All,
    Chosen(&'a [Spotted<String>]),
}

impl Target<'_> {
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        let (sources, known) = (self.of.keys(), self.known.keys());
        let find = |keys: &[KeyDescription], key: &str| {
            keys.iter().find(|one| is_same_key(one.key, key)).copied()
        };
        let mut unknown = Vec::new();
        for source in &sources {
            let Some(spot) = self.spot_of(source.key) else { continue };
            match find(&known, source.key) {
                Some(target) => self.compare(source, &target, spot, check),
                None => unknown.push((source.key, spot)),
            }
        }
        self.refuse_unknown(&unknown, check);
        for needed in known.iter().filter(|key| !key.optional) {
            let source = find(&sources, needed.key);
            if let Some(message) = self.missing(needed.key, source) {
                check.mistake(self.name.1, message);
            }
        }
    }

    /// Returns where the rule gives the event a key of its cause, if it does.
    fn spot_of(&self, key: &str) -> Option<Option<usize>> {
        match self.keys {
            Keys::Renamed | Keys::All => Some(self.name.1),
            Keys::Chosen(keys) => keys.iter().find(|one| is_same_key(&one.0, key)).map(|one| one.1),
        }
    }

    fn compare(
        &self,
        source: &KeyDescription,
        target: &KeyDescription,
        spot: Option<usize>,
        check: &mut Check<'_>,
    ) {
        let (from, to, key) = (self.of.name, self.known.name, target.key);
        if source.kind != target.kind {
            let [is, becomes] = [source, target].map(|one| in_words(one.kind));
            check.mistake(
                spot,
                format!(
                    "the key `{key}` is {is} in `{from}` and {becomes} in `{to}`; {}, or give both \
                     fields one kind",
                    self.without(key)
                ),
            );
        }
        let other = source.texts.iter().find(|text| !target.texts.contains(text));
        if source.kind == target.kind
            && !target.texts.is_empty()
            && (source.texts.is_empty() || other.is_some())
        {
            let text = other.map_or("any text".to_owned(), |text| format!("{text:?}"));
            check.mistake(
                spot,
                format!(
                    "the key `{key}` can be {text} in `{from}` and not in `{to}`; {}, or give both \
                     fields one type",
                    self.without(key)
                ),
            );
        }
        if source.sensitive && !target.sensitive {
            check.mistake(
                spot,
                format!(
                    "the key `{key}` is sensitive in `{from}` and not in `{to}`, so its values \
                     would be shown; {}, or mark the field of `{to}` with `#[event(sensitive)]`",
                    self.without(key)
                ),
            );
        }
    }

    /// Describes how the event lacks a key.
    fn without(&self, key: &str) -> String {
        match self.keys {
            Keys::Chosen(_) => format!("take `{key}` out of `keys`"),
            Keys::All => format!("choose `keys` without `{key}`"),
            Keys::Renamed => {
                format!("use `drop = true` and `also_send` with `keys` without `{key}`")
            }
        }
    }

    /// Refuses keys that the type does not have.
    fn refuse_unknown(&self, unknown: &[(&str, Option<usize>)], check: &mut Check<'_>) {
        if let Keys::Chosen(_) = self.keys {
            for (key, spot) in unknown {
                check.key(key, *spot, Some(self.known));
            }
            return;
        }
        if unknown.is_empty() {
            return;
        }
        let all: Vec<_> = unknown.iter().map(|(key, _)| format!("`{key}`")).collect();
        let (from, to) = (self.of.name, self.known.name);
        let [key, them] = match all.len() {
            1 => ["a key", "it"],
            _ => ["keys", "them"],
        };
        let fix = match self.keys {
            Keys::Renamed => {
                "a rename keeps all keys; use `drop = true` and `also_send` with `keys`"
            }
            _ => "choose the keys, as in `also_send = { name = \"…\", keys = [\"…\"] }`",
        };
        let message = format!(
            "`{from}` has {key} that `{to}` does not have: {}; {fix}, or add {them} to the type of \
             `{to}`",
            all.join(", ")
        );
        check.mistake(self.name.1, message);
    }

    /// Returns whether each event that matches has the key.
    fn implies_present(&self, key: &str) -> bool {
        self.when.iter().any(|one| one.implies_present(key))
    }

    /// Returns why a key that the type requires may be absent here.
    fn missing(&self, key: &str, source: Option<KeyDescription>) -> Option<String> {
        let (from, to) = (self.of.name, self.known.name);
        let (why, fix) = match source {
            None => (format!("`{from}` does not have"), String::new()),
            Some(_) if self.spot_of(key).is_none() => {
                ("`keys` does not have".to_owned(), "add it to `keys`, or ".to_owned())
            }
            Some(source) if source.optional && !self.implies_present(key) => (
                format!("`{from}` may not have"),
                format!("add the condition `{key} = {{ present = true }}`, or "),
            ),
            Some(_) => return None,
        };
        Some(format!(
            "`{to}` always has the key `{key}`, which {why}; {fix}make it an `Option` in the type \
             of `{to}`"
        ))
    }
}
