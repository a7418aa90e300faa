//! The flags for rules on which Intercom's own pages are silent or contradict each other.

use std::time::Duration;

use clap::Args;

use super::limits::given;
use super::values::{number, order, seconds};
use crate::{Identifier, OpenRules};

#[derive(Args)]
#[command(next_help_heading = "Rules that Intercom leaves open")]
pub(crate) struct OpenRuleArguments {
    /// Keep events whose contact, name and second came before, and do not ignore them
    #[arg(long)]
    keep_duplicates: bool,

    /// Order of identifiers: the first one present decides the contact of an event
    #[arg(
        long,
        value_name = "A,B,C",
        value_parser = order,
        default_value = "id,user_id,email"
    )]
    identifier_order: [Identifier; 3],

    /// Leave `.` and `$` in event names as they are, and do not turn them into `-`
    #[arg(long)]
    keep_punctuation: bool,

    /// Refuse an older created_at
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    oldest_created_at: Option<Duration>,

    /// Refuse a created_at further in the future
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    furthest_created_at: Option<Duration>,

    /// Limit of metadata keys; further ones are dropped without an error [default: 20]
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    metadata_keys: Option<usize>,

    /// Drop metadata values of null with their keys, and do not refuse them
    #[arg(long)]
    drop_null_values: bool,

    /// Drop nested metadata values with their keys, and do not refuse them
    #[arg(long)]
    drop_nested_values: bool,

    /// Keep nested metadata values, and neither refuse nor drop them
    #[arg(long)]
    keep_nested_values: bool,

    /// Treat identifiers of null or "" as absent, and do not refuse them
    #[arg(long)]
    ignore_blank_identifiers: bool,

    /// Accept identifiers that are numbers, such as 42 for "42"
    #[arg(long)]
    accept_number_identifiers: bool,

    /// Treat metadata of null or [] as absent, and do not refuse it
    #[arg(long)]
    accept_empty_metadata: bool,

    /// Allow only this custom attribute; repeat it for each; others get 400
    #[arg(long = "custom-attribute", value_name = "NAME")]
    custom_attributes: Vec<String>,

    /// Cut metadata strings at 255 characters, and do not refuse longer ones
    #[arg(long)]
    cut_long_strings: bool,

    /// Refuse true and false as metadata values
    #[arg(long)]
    refuse_booleans: bool,

    /// Refuse monetary amounts below zero
    #[arg(long)]
    refuse_negative_amounts: bool,

    /// Answer accepted events with 200 instead of 202
    #[arg(long)]
    accepted_is_200: bool,

    /// Answer a missing Accept header with 404 instead of 406
    #[arg(long)]
    missing_accept_is_404: bool,

    /// Answer an email that several users share with 400 instead of 409
    #[arg(long)]
    ambiguous_contact_is_400: bool,

    /// Answer a request for a merged contact with 404 instead of 410
    #[arg(long)]
    merged_contact_is_404: bool,

    /// Merge any lead into any user, even without a common email or phone
    #[arg(long)]
    merge_any: bool,

    /// Add a Retry-After header to each 429
    #[arg(long)]
    retry_after: bool,
}

impl OpenRuleArguments {
    pub(super) fn settle(self) -> OpenRules {
        let rules = OpenRules::default()
            .deduplicate(!self.keep_duplicates)
            .identifier_order(self.identifier_order)
            .fold_punctuation(!self.keep_punctuation)
            .drop_null_values(self.drop_null_values)
            .drop_nested_values(self.drop_nested_values)
            .keep_nested_values(self.keep_nested_values)
            .ignore_blank_identifiers(self.ignore_blank_identifiers)
            .accept_number_identifiers(self.accept_number_identifiers)
            .accept_empty_metadata(self.accept_empty_metadata)
            .cut_long_strings(self.cut_long_strings)
            .refuse_booleans(self.refuse_booleans)
            .refuse_negative_amounts(self.refuse_negative_amounts)
            .accepted_is_200(self.accepted_is_200)
            .missing_accept_is_404(self.missing_accept_is_404)
            .ambiguous_contact_is_400(self.ambiguous_contact_is_400)
            .merged_contact_is_404(self.merged_contact_is_404)
            .merges_only_duplicates(!self.merge_any)
            .retry_after(self.retry_after);
        let rules = given(rules, self.oldest_created_at, OpenRules::oldest_created_at);
        let rules = given(rules, self.furthest_created_at, OpenRules::furthest_created_at);
        let rules = given(rules, self.metadata_keys, OpenRules::metadata_keys);
        let named = Some(self.custom_attributes).filter(|names| !names.is_empty());
        given(rules, named, OpenRules::custom_attributes)
    }
}
