//! The options in force, for somebody who looks at a sandbox that somebody else has started. None of
//! them is a secret: tokens and keys are not among them.

use std::time::Duration;

use serde::Serialize;

use crate::limits::Limits;
use crate::open_rules::OpenRules;
use crate::region::Region;
use crate::retention::Retention;
use crate::seconds::in_seconds;

/// Each is called as in the builder. Times are in seconds, sizes in bytes, and `null` stands for no
/// limit.
#[derive(Serialize)]
pub(crate) struct Options {
    pub(crate) region: Region,
    /// How many apps there are, each with a token of its own.
    pub(crate) apps: usize,
    pub(crate) know_everybody: bool,
    #[serde(serialize_with = "in_seconds")]
    pub(crate) contacts_settle_after: Duration,
    pub(crate) rate_limit: Option<u32>,
    pub(crate) workspace_rate_limit: Option<u32>,
    pub(crate) active_event_names: usize,
    pub(crate) deduplicate_among: usize,
    #[serde(flatten)]
    pub(crate) limits: Limits,
    #[serde(flatten)]
    pub(crate) retention: Retention,
    #[serde(flatten)]
    pub(crate) open_rules: OpenRules,
}
