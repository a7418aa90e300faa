//! Explains which rules match an event.

use std::fmt;
use std::sync::Arc;

use crate::condition::{Expression, Leaf};

/// The rules that match an event, and why. [`Rules::explain`](crate::Rules::explain) returns it.
///
/// `Display` shows the conditions of the rules, and no value of the event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// All rules on events of this name, in their order.
    pub rules: Vec<RuleExplanation>,
}

impl Explanation {
    /// Returns the names of the rules that match.
    pub fn matching(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter(|rule| rule.matches).map(|rule| &*rule.rule)
    }
}

/// Whether a rule matches an event, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleExplanation {
    /// The rule's name.
    pub rule: Arc<str>,
    /// Whether it matches.
    pub matches: bool,
    /// The whole condition, in words.
    pub when: String,
    /// Each test of one key in the condition.
    pub reasons: Vec<Reason>,
}

/// Whether a test of one key holds for an event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reason {
    /// The test, in words.
    pub condition: String,
    /// Whether it holds.
    pub holds: bool,
    /// Whether the event has the key.
    pub key_present: bool,
}

impl RuleExplanation {
    pub(crate) fn new(
        rule: &Arc<str>,
        when: &Expression,
        matches: bool,
        judge: impl Fn(&Leaf) -> (bool, bool),
    ) -> Self {
        let reasons = when.leaves().into_iter().map(|leaf| {
            let (holds, key_present) = judge(leaf);
            Reason { condition: leaf.to_string(), holds, key_present }
        });
        RuleExplanation {
            rule: rule.clone(),
            matches,
            when: when.to_string(),
            reasons: reasons.collect(),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rules.is_empty() {
            return f.write_str("no rule is on events of this name");
        }
        for (number, rule) in self.rules.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            rule.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for RuleExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matches = if self.matches { "matches" } else { "does not match" };
        write!(f, "`{}` {matches}: {}", self.rule, self.when)?;
        for Reason { condition, holds, key_present } in &self.reasons {
            let holds = match (holds, key_present) {
                (true, _) => "holds",
                (false, true) => "does not hold",
                (false, false) => "does not hold: the event does not have the key",
            };
            write!(f, "\n  {condition}: {holds}")?;
        }
        Ok(())
    }
}
