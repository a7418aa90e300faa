//! Rules on which Intercom's pages, its answers and its users disagree or are silent. Each option
//! names the sandbox's reading and allows the other.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::identifier::Identifier;
use crate::seconds::in_seconds_if_any;

/// Rules that Intercom leaves open: see [`SandboxBuilder::open_rules`].
///
/// Each option has the sandbox's own choice as its default, and allows another. So a test can try a
/// client with both.
///
/// ```
/// use intercom_sandbox::{OpenRules, Sandbox};
///
/// let builder = Sandbox::builder().open_rules(OpenRules::default().metadata_keys(10));
/// ```
///
/// [`SandboxBuilder::open_rules`]: crate::SandboxBuilder::open_rules
#[derive(Debug, Clone, Serialize)]
#[must_use = "rules do nothing until a builder has them"]
pub struct OpenRules {
    pub(crate) deduplicate: bool,
    #[serde(serialize_with = "by_member")]
    pub(crate) identifier_order: [Identifier; 3],
    pub(crate) fold_punctuation: bool,
    #[serde(serialize_with = "in_seconds_if_any")]
    pub(crate) oldest_created_at: Option<Duration>,
    #[serde(serialize_with = "in_seconds_if_any")]
    pub(crate) furthest_created_at: Option<Duration>,
    pub(crate) metadata_keys: usize,
    pub(crate) drop_null_values: bool,
    pub(crate) drop_nested_values: bool,
    pub(crate) keep_nested_values: bool,
    pub(crate) ignore_blank_identifiers: bool,
    pub(crate) accept_number_identifiers: bool,
    pub(crate) accept_empty_metadata: bool,
    pub(crate) cut_long_strings: bool,
    pub(crate) refuse_booleans: bool,
    pub(crate) refuse_negative_amounts: bool,
    pub(crate) accepted_is_200: bool,
    pub(crate) missing_accept_is_404: bool,
    pub(crate) retry_after: bool,
    pub(crate) merges_only_duplicates: bool,
    pub(crate) merged_contact_is_404: bool,
    pub(crate) ambiguous_contact_is_400: bool,
    pub(crate) custom_attributes: Option<Vec<String>>,
}

impl Default for OpenRules {
    fn default() -> Self {
        Self {
            deduplicate: true,
            identifier_order: [Identifier::ContactId, Identifier::UserId, Identifier::Email],
            fold_punctuation: true,
            oldest_created_at: None,
            furthest_created_at: None,
            // The highest of the documented limits.
            metadata_keys: 20,
            drop_null_values: false,
            drop_nested_values: false,
            keep_nested_values: false,
            ignore_blank_identifiers: false,
            accept_number_identifiers: false,
            accept_empty_metadata: false,
            cut_long_strings: false,
            refuse_booleans: false,
            refuse_negative_amounts: false,
            accepted_is_200: false,
            missing_accept_is_404: false,
            retry_after: false,
            merges_only_duplicates: true,
            merged_contact_is_404: false,
            ambiguous_contact_is_400: false,
            custom_attributes: None,
        }
    }
}

impl OpenRules {
    /// Ignores an event whose contact, name and `created_at` second are those of an
    /// [earlier](crate::Retention::deduplicate_among) event. The answer is the usual one, and the
    /// event is in [`duplicates`](crate::Sandbox::duplicates). Intercom's pages say that
    /// Intercom may ignore duplicates. Default: `true`.
    pub fn deduplicate(mut self, deduplicate: bool) -> Self {
        self.deduplicate = deduplicate;
        self
    }

    /// Sets the order of identifiers: the first one present decides the contact of an event.
    /// Intercom does not say which identifier wins. Default: contact id, user id, email.
    pub fn identifier_order(mut self, order: [Identifier; 3]) -> Self {
        self.identifier_order = order;
        self
    }

    /// Turns `.` and `$` in an event name into `-`, so that names which differ only there are one
    /// name. Only the pages of versions before 2.7 have this rule. Default: `true`.
    pub fn fold_punctuation(mut self, fold: bool) -> Self {
        self.fold_punctuation = fold;
        self
    }

    /// Sets the highest age of a `created_at`; an older one gets `422`. Intercom documents no
    /// bound. Default: any time.
    pub fn oldest_created_at(mut self, age: Duration) -> Self {
        self.oldest_created_at = Some(age);
        self
    }

    /// Sets how far ahead a `created_at` can be; a later one gets `422`. Intercom documents no
    /// bound. Default: any time.
    pub fn furthest_created_at(mut self, ahead: Duration) -> Self {
        self.furthest_created_at = Some(ahead);
        self
    }

    /// Sets the number of metadata keys that an event keeps. The sandbox drops later keys, in the
    /// order sent, without an error. The rule is Intercom's, whose pages say 5, 10 and 20. Default:
    /// 20.
    pub fn metadata_keys(mut self, keys: usize) -> Self {
        self.metadata_keys = keys;
        self
    }

    /// Drops a metadata value of `null` with its key, instead of refusing the event. Intercom does
    /// not say. Default: `false`.
    pub fn drop_null_values(mut self, drop: bool) -> Self {
        self.drop_null_values = drop;
        self
    }

    /// Drops an array, or an object that is neither a rich link nor a monetary amount, with its
    /// key, instead of refusing the event. Intercom says only that it does not support such values.
    /// Default: `false`.
    pub fn drop_nested_values(mut self, drop: bool) -> Self {
        self.drop_nested_values = drop;
        self
    }

    /// Keeps any array or object as a metadata value, instead of refusing the event. Intercom's
    /// staff says that the API does not check metadata types, and that such values do not work in
    /// rules. This option overrides [`drop_nested_values`](Self::drop_nested_values). Default:
    /// `false`.
    pub fn keep_nested_values(mut self, keep: bool) -> Self {
        self.keep_nested_values = keep;
        self
    }

    /// Treats an identifier that is `null` or blank as absent, in events and in contacts, instead
    /// of refusing the request. Intercom does not say. Default: `false`.
    pub fn ignore_blank_identifiers(mut self, ignore: bool) -> Self {
        self.ignore_blank_identifiers = ignore;
        self
    }

    /// Treats an integer identifier as its digits, `42` as `"42"`, in events and in contacts,
    /// instead of refusing the request. Intercom's description has strings. Default: `false`.
    pub fn accept_number_identifiers(mut self, accept: bool) -> Self {
        self.accept_number_identifiers = accept;
        self
    }

    /// Treats metadata of `null` or `[]` as absent, instead of refusing the event. PHP writes an
    /// empty object as `[]`. Intercom does not say. Default: `false`.
    pub fn accept_empty_metadata(mut self, accept: bool) -> Self {
        self.accept_empty_metadata = accept;
        self
    }

    /// Cuts a metadata string at 255 characters, instead of refusing a longer one. Intercom does
    /// not say. Default: `false`.
    pub fn cut_long_strings(mut self, cut: bool) -> Self {
        self.cut_long_strings = cut;
        self
    }

    /// Refuses `true` and `false` as metadata values. Intercom's lists of types omit booleans, and
    /// users have seen booleans accepted. Default: `false`.
    pub fn refuse_booleans(mut self, refuse: bool) -> Self {
        self.refuse_booleans = refuse;
        self
    }

    /// Refuses a monetary amount below zero, such as a refund. Intercom's API description calls the
    /// amount a positive integer; its other pages do not. Default: `false`.
    pub fn refuse_negative_amounts(mut self, refuse: bool) -> Self {
        self.refuse_negative_amounts = refuse;
        self
    }

    /// Answers an accepted event with `200` instead of `202`, as Intercom's test servers do.
    /// Default: `false`.
    pub fn accepted_is_200(mut self, is_200: bool) -> Self {
        self.accepted_is_200 = is_200;
        self
    }

    /// Answers a request without an `Accept` that allows JSON with `404` and the code `not_found`,
    /// instead of `406`. Users have seen both. Default: `false`.
    pub fn missing_accept_is_404(mut self, is_404: bool) -> Self {
        self.missing_accept_is_404 = is_404;
        self
    }

    /// Adds `Retry-After` to a `429`: the seconds until the window ends. No page of Intercom's
    /// mentions the header. Default: `false`.
    pub fn retry_after(mut self, retry_after: bool) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// Merges a lead only into a user with the same email or phone, unless the request has
    /// `skip_duplicate_validation`. The newest of Intercom's descriptions has this rule, and older
    /// ones do not mention it. Default: `true`.
    pub fn merges_only_duplicates(mut self, only_duplicates: bool) -> Self {
        self.merges_only_duplicates = only_duplicates;
        self
    }

    /// Answers a request for a merged contact with `404`, instead of `410` and a `Link` to the
    /// contact that absorbed it. Intercom's description has both. Default: `false`.
    pub fn merged_contact_is_404(mut self, is_404: bool) -> Self {
        self.merged_contact_is_404 = is_404;
        self
    }

    /// Answers an event whose email several users share with `400` instead of `409`. Sources about
    /// Intercom have both, with the code `conflict`. Default: `false`.
    pub fn ambiguous_contact_is_400(mut self, is_400: bool) -> Self {
        self.ambiguous_contact_is_400 = is_400;
        self
    }

    /// Sets the only custom attributes that contacts can have. Any other gets `400` and "Custom
    /// attribute '…' does not exist", as in an Intercom workspace without that attribute. Default:
    /// any.
    pub fn custom_attributes(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.custom_attributes = Some(names.into_iter().map(Into::into).collect());
        self
    }
}

fn by_member<S: Serializer>(order: &[Identifier; 3], serializer: S) -> Result<S::Ok, S::Error> {
    order.map(Identifier::member).serialize(serializer)
}
