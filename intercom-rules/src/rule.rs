//! A rule: its event, its condition, and its actions.

use crate::condition::{Condition, Expression};

/// A rule from code.
///
/// ```
/// use intercom_core::{Currency, Money};
/// use intercom_rules::{Rule, Rules, key};
///
/// let rule = Rule::on("invoice_paid")
///     .when(key("amount").at_least(Money::new(100_000, Currency::EUR)))
///     .when(key("plan").not("free"))
///     .also_send("big_invoice_paid");
/// let rules = Rules::builder().rule(rule).build_unchecked()?;
/// # Ok::<(), intercom_rules::RulesError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a rule does nothing until it is among the rules of a delivery"]
pub struct Rule {
    pub(crate) name: Option<String>,
    pub(crate) on: Spotted<String>,
    pub(crate) when: Vec<Expression>,
    pub(crate) also_send: Vec<AlsoSend>,
    pub(crate) rename: Option<Spotted<String>>,
    pub(crate) drops: bool,
    /// Whether the builder has reported a mistake in its actions. Then it may have none.
    pub(crate) is_misread: bool,
    pub(crate) spot: Option<usize>,
}

/// A value, and its offset in the text.
#[derive(Clone, Debug)]
pub(crate) struct Spotted<T>(pub(crate) T, pub(crate) Option<usize>);

#[derive(Clone, Debug)]
pub(crate) struct AlsoSend {
    pub(crate) name: Spotted<String>,
    /// `None`: the same metadata.
    pub(crate) keys: Option<Vec<Spotted<String>>>,
}

impl Rule {
    /// Creates a rule on the events of this name.
    pub fn on(event: impl Into<String>) -> Self {
        Rule {
            name: None,
            on: Spotted(event.into(), None),
            when: Vec::new(),
            also_send: Vec::new(),
            rename: None,
            drops: false,
            is_misread: false,
            spot: None,
        }
    }

    /// Names the rule, for [`Rules::explain`](crate::Rules::explain) and
    /// [`Applied`](crate::Applied). The default has its position, from 1, and its event:
    /// `rule 1 on invoice_paid`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds a condition. All conditions must hold. Without a condition, each event of the rule's
    /// name matches.
    pub fn when(mut self, condition: Condition) -> Self {
        self.when.push(condition.0);
        self
    }

    /// Sends another event too, of this name, with the same contact, `created_at` and metadata.
    /// Call it once for each event.
    pub fn also_send(mut self, event: impl Into<String>) -> Self {
        self.also_send.push(AlsoSend { name: Spotted(event.into(), None), keys: None });
        self
    }

    /// Sends another event too, of this name, with the same contact and `created_at`, and these
    /// keys of the metadata. Call it once for each event.
    pub fn also_send_keys<K: Into<String>>(
        mut self,
        event: impl Into<String>,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        let keys = keys.into_iter().map(|key| Spotted(key.into(), None)).collect();
        self.also_send.push(AlsoSend { name: Spotted(event.into(), None), keys: Some(keys) });
        self
    }

    /// Sends the event under this name. If several rules match, the first name counts.
    pub fn rename(mut self, event: impl Into<String>) -> Self {
        self.rename = Some(Spotted(event.into(), None));
        self
    }

    /// Does not send the event. Derived events are still sent.
    pub fn drop_event(mut self) -> Self {
        self.drops = true;
        self
    }
}
