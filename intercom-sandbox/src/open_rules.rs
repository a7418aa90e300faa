//! The rules that Intercom's pages, its answers and its users do not agree on, or that nobody has
//! written down: how the sandbox takes each of them, and how to have it the other way.

use std::time::Duration;

use crate::builder::SandboxBuilder;
use crate::contacts::Identifier;

/// How each open rule is taken.
pub(crate) struct OpenRules {
    pub(crate) deduplicate: bool,
    pub(crate) identifier_order: [Identifier; 3],
    pub(crate) fold_punctuation: bool,
    pub(crate) oldest_created_at: Option<Duration>,
    pub(crate) furthest_created_at: Option<Duration>,
    pub(crate) metadata_keys: usize,
    pub(crate) drop_null_values: bool,
    pub(crate) drop_nested_values: bool,
    pub(crate) cut_long_strings: bool,
    pub(crate) refuse_booleans: bool,
    pub(crate) refuse_negative_amounts: bool,
    pub(crate) accepted_is_200: bool,
    pub(crate) missing_accept_is_404: bool,
    pub(crate) retry_after: bool,
}

impl Default for OpenRules {
    fn default() -> Self {
        Self {
            deduplicate: true,
            identifier_order: [Identifier::ContactId, Identifier::UserId, Identifier::Email],
            fold_punctuation: true,
            oldest_created_at: None,
            furthest_created_at: None,
            // The most permissive of the documented limits.
            metadata_keys: 20,
            drop_null_values: false,
            drop_nested_values: false,
            cut_long_strings: false,
            refuse_booleans: false,
            refuse_negative_amounts: false,
            accepted_is_200: false,
            missing_accept_is_404: false,
            retry_after: false,
        }
    }
}

/// # Rules that Intercom leaves open
///
/// Its pages contradict each other here, or are silent. Each can be had both ways, so that a client
/// can be tried against both.
impl SandboxBuilder {
    /// Whether an event is swallowed whose contact, name and `created_at` second are those of an
    /// [earlier](Self::deduplicate_among) one: it is answered as any other, and ignored; it is among
    /// the [duplicates](crate::Sandbox::duplicates). Intercom says that it may do so. Default: `true`.
    pub fn deduplicate(mut self, deduplicate: bool) -> Self {
        self.rules.deduplicate = deduplicate;
        self
    }

    /// Which identifier tells whose an event is where it carries several: the first of these that is
    /// there. Intercom does not say which of them wins. Default: contact id, user id, email.
    pub fn identifier_order(mut self, order: [Identifier; 3]) -> Self {
        self.rules.identifier_order = order;
        self
    }

    /// Whether `.` and `$` in an event name are turned into `-`, so that names which differ in them
    /// alone are one. Only the pages of versions before 2.7 say so. Default: `true`.
    pub fn fold_punctuation(mut self, fold: bool) -> Self {
        self.rules.fold_punctuation = fold;
        self
    }

    /// How far back a `created_at` may lie; what is older is answered with `422`. Intercom tells no
    /// bound. Default: any time.
    pub fn oldest_created_at(mut self, age: Duration) -> Self {
        self.rules.oldest_created_at = Some(age);
        self
    }

    /// How far ahead a `created_at` may lie; what is further is answered with `422`. Intercom tells
    /// no bound. Default: any time.
    pub fn furthest_created_at(mut self, ahead: Duration) -> Self {
        self.rules.furthest_created_at = Some(ahead);
        self
    }

    /// How many metadata keys of an event are kept. Those beyond it are dropped in silence, in the
    /// order sent: that is Intercom's rule, and its pages tell 5, 10 and 20. Default: 20.
    pub fn metadata_keys(mut self, keys: usize) -> Self {
        self.rules.metadata_keys = keys;
        self
    }

    /// Whether a metadata value of `null` is dropped with its key, and not refused. Intercom does
    /// not say. Default: `false`.
    pub fn drop_null_values(mut self, drop: bool) -> Self {
        self.rules.drop_null_values = drop;
        self
    }

    /// Whether an array, or an object that is neither a rich link nor a monetary amount, is dropped
    /// from the metadata with its key, and not refused. Intercom says only that it does not support
    /// them. Default: `false`.
    pub fn drop_nested_values(mut self, drop: bool) -> Self {
        self.rules.drop_nested_values = drop;
        self
    }

    /// Whether a metadata string of more than 255 characters is cut there, and not refused. Intercom
    /// does not say. Default: `false`.
    pub fn cut_long_strings(mut self, cut: bool) -> Self {
        self.rules.cut_long_strings = cut;
        self
    }

    /// Whether `true` and `false` are refused as metadata values. They are in none of Intercom's
    /// lists of types, and users have seen them accepted. Default: `false`.
    pub fn refuse_booleans(mut self, refuse: bool) -> Self {
        self.rules.refuse_booleans = refuse;
        self
    }

    /// Whether a monetary amount below zero, as of a refund, is refused. Intercom's description of
    /// its API calls the amount a positive integer, its other pages do not. Default: `false`.
    pub fn refuse_negative_amounts(mut self, refuse: bool) -> Self {
        self.rules.refuse_negative_amounts = refuse;
        self
    }

    /// Whether an accepted event is answered with `200` in the place of `202`, as Intercom's test
    /// servers do. Default: `false`.
    pub fn accepted_is_200(mut self, is_200: bool) -> Self {
        self.rules.accepted_is_200 = is_200;
        self
    }

    /// Whether a request whose `Accept` does not take JSON, or that has none, is answered with `404`
    /// and the code `not_found` in the place of `406`: users have seen both. Default: `false`.
    pub fn missing_accept_is_404(mut self, is_404: bool) -> Self {
        self.rules.missing_accept_is_404 = is_404;
        self
    }

    /// Whether a `429` says in `Retry-After` too, and in seconds, when the window ends. No page of
    /// Intercom's mentions it. Default: `false`.
    pub fn retry_after(mut self, retry_after: bool) -> Self {
        self.rules.retry_after = retry_after;
        self
    }
}
