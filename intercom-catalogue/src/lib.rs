#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod changes;
mod json_schema;
mod lock;
mod markdown;
mod plan;
mod review;
mod rule;
#[cfg(feature = "sources")]
mod sources;
mod update;

pub use changes::Finding;
pub use lock::{Allowance, Lock, LockSyntaxError, Retired};
pub use markdown::MarkdownError;
pub use plan::{Plan, PlannedEvent, PlannedKey};
pub use review::Review;
pub use rule::{Class, Rule};
#[cfg(feature = "sources")]
pub use sources::{SourcesError, Unlisted};
pub use update::LockError;
