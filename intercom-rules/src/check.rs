//! Checks rules against a catalogue: names, impossible conditions, and the events that actions
//! make.

use intercom_core::rules::MAX_TEXT_CHARS;
use intercom_core::{Catalogue, EventDescription, EventName, KeyDescription, ValueKind};

use crate::condition::{Leaf, Operand, Test};
use crate::error::Mistake;
use crate::evaluate::is_same_key;
use crate::rule::{AlsoSend, Rule, Spotted};
use crate::target::{Keys, Target};

pub(crate) struct Check<'a> {
    pub(crate) catalogue: Option<&'a Catalogue>,
    /// The source text of the rules.
    pub(crate) text: Option<&'a str>,
    pub(crate) mistakes: Vec<Mistake>,
}

impl Check<'_> {
    pub(crate) fn mistake(&mut self, spot: Option<usize>, message: String) {
        self.mistakes.push(Mistake::new(self.text, spot, message));
    }

    pub(crate) fn event(
        &mut self,
        name: &Spotted<String>,
        what: &str,
    ) -> Option<&'static EventDescription> {
        let catalogue = self.catalogue?;
        let found = catalogue.event(&name.0);
        if found.is_none() {
            let message = format!(
                "{what} names the event `{}`, which the catalogue `{}` does not have; correct the \
                 name, or add its type to the catalogue",
                name.0,
                catalogue.name()
            );
            self.mistake(name.1, message);
        }
        found
    }

    pub(crate) fn name(&mut self, name: Spotted<String>) -> Option<EventName> {
        match EventName::new(name.0) {
            Ok(name) => Some(name),
            Err(error) => {
                self.mistake(name.1, error.to_string());
                None
            }
        }
    }

    /// Refuses actions that contradict each other, do nothing, or disagree with the catalogue.
    pub(crate) fn actions(&mut self, rule: &Rule, event: Option<&'static EventDescription>) {
        let Rule { also_send, rename, drops, .. } = rule;
        if also_send.is_empty() && rename.is_none() && !drops && !rule.is_misread {
            let message = "the rule does nothing; add `also_send`, `rename` or `drop = true`";
            self.mistake(rule.spot.or(rule.on.1), message.to_owned());
        }
        if let (Some(name), true) = (rename, drops) {
            let message = "a rule cannot both rename an event and drop it; remove one of them";
            self.mistake(name.1, message.to_owned());
        }
        let target = |check: &mut Self, name, what, keys| {
            let known = check.event(name, what);
            if let Some((of, known)) = event.zip(known) {
                Target { of, name, known, keys, when: &rule.when }.check(check);
            }
        };
        if let Some(name) = rename {
            target(self, name, "`rename`", Keys::Renamed);
        }
        for AlsoSend { name, keys } in also_send {
            for key in keys.iter().flatten() {
                self.key(&key.0, key.1, event);
            }
            let keys = keys.as_deref().map_or(Keys::All, Keys::Chosen);
            target(self, name, "`also_send`", keys);
        }
    }

    /// Finds a key of the event, if there is a catalogue.
    pub(crate) fn key(
        &mut self,
        key: &str,
        spot: Option<usize>,
        event: Option<&'static EventDescription>,
    ) -> Option<KeyDescription> {
        let event = event?;
        let keys = event.keys();
        let found = keys.iter().find(|known| is_same_key(known.key, key)).copied();
        if found.is_none() {
            let all: Vec<_> = keys.iter().map(|known| format!("`{}`", known.key)).collect();
            let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
            let message =
                format!("the event `{}` has no key `{key}`; its keys are {all}", event.name);
            self.mistake(spot, message);
        }
        found
    }

    /// Refuses a condition that can never hold.
    pub(crate) fn leaf(&mut self, leaf: &Leaf, event: Option<&'static EventDescription>) {
        if let Some(message) = self.never(leaf) {
            return self.mistake(leaf.spot, message);
        }
        let Some(known) = self.key(&leaf.key, leaf.spot, event) else { return };
        if matches!(leaf.test, Test::Absent) && !known.optional {
            let message = format!("the key `{}` is never absent; remove the condition", known.key);
            return self.mistake(leaf.spot, message);
        }
        let kind = known.kind;
        let is_text = matches!(kind, ValueKind::Text | ValueKind::Link | ValueKind::RichLink);
        let suits = |operand: &Operand| match operand {
            Operand::Text(_) => is_text,
            Operand::Integer(_) | Operand::Float(_) => kind == ValueKind::Number,
            Operand::Boolean(_) => kind == ValueKind::Boolean,
            Operand::Date(_) => kind == ValueKind::Date,
            Operand::Money(_) => kind == ValueKind::Money,
        };
        let unsuited = leaf.test.operands().into_iter().find(|operand| !suits(operand));
        let compared = match unsuited {
            Some(operand) => operand.kind(),
            None if leaf.test.searches() && !is_text => "text",
            None => return self.texts(leaf, &known),
        };
        let message = format!(
            "the key `{}` is {}, and `{}` compares it with {compared}, so it never holds; {}",
            known.key,
            in_words(kind),
            leaf.test.name(),
            fix(kind),
        );
        self.mistake(leaf.spot, message);
    }

    /// Refuses to compare a key with a text that it can never have.
    fn texts(&mut self, leaf: &Leaf, known: &KeyDescription) {
        let listed = || known.texts.iter();
        if known.texts.is_empty() {
            return;
        }
        let compared = leaf.test.operands().into_iter().filter_map(|operand| match operand {
            Operand::Text(text) => Some(text),
            _ => None,
        });
        let mut compared: Vec<_> = compared.collect();
        compared.retain(|text| !listed().any(|one| is_same(one, text, leaf.ignores_case)));
        let fold = |text: &str| if leaf.ignores_case { text.to_lowercase() } else { text.into() };
        let (verb, never) = match &leaf.test {
            Test::Contains(part) if !listed().any(|one| fold(one).contains(&fold(part))) => {
                ("contains", part)
            }
            Test::StartsWith(part) if !listed().any(|one| fold(one).starts_with(&fold(part))) => {
                ("starts with", part)
            }
            _ => match compared.first() {
                Some(text) => ("is", *text),
                None => return,
            },
        };
        let all: Vec<_> = listed().map(|text| format!("{text:?}")).collect();
        let message = format!(
            "the key `{}` never {verb} {never:?}; it is one of {}",
            known.key,
            all.join(", ")
        );
        self.mistake(leaf.spot, message);
    }

    /// Returns why a condition can never hold, whatever its key is.
    fn never(&self, leaf: &Leaf) -> Option<String> {
        let operands = leaf.test.operands();
        let ordered =
            operands.iter().find(|one| matches!(one, Operand::Text(_) | Operand::Boolean(_)));
        if let (Some(operand), true) = (ordered, leaf.test.orders()) {
            let (kind, name) = (operand.kind(), leaf.test.name());
            return Some(format!(
                "{kind} has no order, so `{name}` never holds; money is written as \
                 \"1000.00 EUR\", a date as 2026-01-31 without quotes"
            ));
        }
        let is_text = |operand: &&Operand| matches!(operand, Operand::Text(_));
        if leaf.ignores_case && !leaf.test.searches() && !operands.iter().any(is_text) {
            return Some("`ignore_case` is for texts; remove it".to_owned());
        }
        let texts = operands.iter().filter_map(|operand| match operand {
            Operand::Text(text) => Some(text),
            _ => None,
        });
        match &leaf.test {
            Test::OneOf(all) if all.is_empty() => {
                Some("`one_of` of nothing never holds; name a value".to_owned())
            }
            Test::Between(low, high) => match low.order(high) {
                Some(std::cmp::Ordering::Greater) => Some(
                    "`between` has its limits the wrong way round; name the lower first".to_owned(),
                ),
                None => Some("the limits of `between` are of two kinds or currencies".to_owned()),
                _ => None,
            },
            Test::Is(_) | Test::OneOf(_) => {
                let mut long = texts.filter(|text| text.chars().count() > MAX_TEXT_CHARS);
                long.next().map(|_| {
                    format!(
                        "no text has more than {MAX_TEXT_CHARS} characters, so this never holds"
                    )
                })
            }
            _ => None,
        }
    }
}

fn is_same(one: &str, other: &str, ignores_case: bool) -> bool {
    one == other || (ignores_case && one.to_lowercase() == other.to_lowercase())
}

pub(crate) fn in_words(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Text => "text",
        ValueKind::Number => "a number",
        ValueKind::Boolean => "a boolean",
        ValueKind::Date => "a date",
        ValueKind::Link | ValueKind::RichLink => "a link",
        ValueKind::Money => "money",
        _ => "of another kind",
    }
}

fn fix(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Number => "write a number without quotes",
        ValueKind::Boolean => "write `true` or `false`",
        ValueKind::Date => "write a date, such as 2026-01-31, without quotes",
        ValueKind::Money => "write an amount and a currency, such as \"1000.00 EUR\"",
        _ => "write a text in quotes",
    }
}
