//! The options in force, for a client that did not start the sandbox. They contain no secrets:
//! without tokens and keys.

use std::time::Duration;

use serde::Serialize;

use crate::limits::Limits;
use crate::open_rules::OpenRules;
use crate::region::Region;
use crate::retention::Retention;
use crate::seconds::in_seconds;

/// The names are those of the builder. Times are in seconds, sizes in bytes, and `null` means no
/// limit.
#[derive(Serialize)]
pub(crate) struct Options {
    pub(crate) region: Region,
    /// The number of apps, each with its own token.
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
