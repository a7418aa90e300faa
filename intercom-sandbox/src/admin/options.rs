//! The options that stand, for who looks at a sandbox that somebody else has started. None of them is
//! a secret: tokens and keys are not among them.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::builder::SandboxBuilder;
use crate::contacts::Identifier;
use crate::region::Region;

/// Each is called as in the builder. Times are in seconds, sizes in bytes, and `null` stands for no
/// limit.
#[derive(Serialize)]
pub(crate) struct Options {
    region: Region,
    /// How many apps there are, each with a token of its own.
    apps: usize,

    know_everybody: bool,
    #[serde(serialize_with = "in_seconds")]
    contacts_settle_after: Duration,
    max_contacts: usize,
    max_contact_bytes: usize,
    merges_only_duplicates: bool,
    merged_contact_is_404: bool,
    ambiguous_contact_is_400: bool,

    rate_limit: Option<u32>,
    workspace_rate_limit: Option<u32>,
    active_event_names: usize,
    body_limit: usize,

    #[serde(serialize_with = "in_seconds")]
    body_timeout: Duration,
    #[serde(serialize_with = "in_seconds")]
    idle_timeout: Duration,
    max_connections: usize,
    max_incoming_bytes: usize,

    keep_requests: usize,
    keep_events: usize,
    keep_bytes: usize,
    deduplicate_among: usize,

    deduplicate: bool,
    identifier_order: [&'static str; 3],
    fold_punctuation: bool,
    #[serde(serialize_with = "in_seconds_if_any")]
    oldest_created_at: Option<Duration>,
    #[serde(serialize_with = "in_seconds_if_any")]
    furthest_created_at: Option<Duration>,
    metadata_keys: usize,
    drop_null_values: bool,
    drop_nested_values: bool,
    cut_long_strings: bool,
    refuse_booleans: bool,
    refuse_negative_amounts: bool,
    accepted_is_200: bool,
    missing_accept_is_404: bool,
    retry_after: bool,
}

impl Options {
    pub(crate) fn of(builder: &SandboxBuilder) -> Self {
        let SandboxBuilder { contact_settings, limits, settings, rules, .. } = builder;
        Self {
            region: settings.region,
            apps: 1 + builder.other_tokens.len(),
            know_everybody: contact_settings.know_everybody,
            contacts_settle_after: contact_settings.settle_after,
            max_contacts: contact_settings.limit,
            max_contact_bytes: contact_settings.max_bytes,
            merges_only_duplicates: contact_settings.merges_only_duplicates,
            merged_contact_is_404: contact_settings.merged_contact_is_404,
            ambiguous_contact_is_400: settings.ambiguous_contact_is_400,
            rate_limit: builder.rate_limit,
            workspace_rate_limit: builder.effective_workspace_rate_limit(),
            active_event_names: builder.active_event_names,
            body_limit: settings.body_limit,
            body_timeout: settings.body_timeout,
            idle_timeout: limits.idle,
            max_connections: limits.connections,
            max_incoming_bytes: builder.incoming_bytes,
            keep_requests: builder.keep_requests,
            keep_events: builder.keep_events,
            keep_bytes: builder.keep_bytes,
            deduplicate_among: builder.effective_deduplicate_among(),
            deduplicate: rules.deduplicate,
            identifier_order: rules.identifier_order.map(Identifier::member),
            fold_punctuation: rules.fold_punctuation,
            oldest_created_at: rules.oldest_created_at,
            furthest_created_at: rules.furthest_created_at,
            metadata_keys: rules.metadata_keys,
            drop_null_values: rules.drop_null_values,
            drop_nested_values: rules.drop_nested_values,
            cut_long_strings: rules.cut_long_strings,
            refuse_booleans: rules.refuse_booleans,
            refuse_negative_amounts: rules.refuse_negative_amounts,
            accepted_is_200: rules.accepted_is_200,
            missing_accept_is_404: rules.missing_accept_is_404,
            retry_after: rules.retry_after,
        }
    }
}

fn in_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

fn in_seconds_if_any<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}
