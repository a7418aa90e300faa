#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! ## Conditions
//!
//! `when` is a table: each key of the metadata, with its conditions. All conditions must hold.
//! `plan = "pro"` is short for `plan = { is = "pro" }`. Without `when`, a rule matches each event
//! of its name. Names of events and keys ignore case, as at Intercom.
//!
//! | of a key's value | conditions |
//! |---|---|
//! | text, links (a rich link by its URL) | `is`, `not`, `one_of`, `contains`, `starts_with`; case-sensitive, unless `ignore_case = true` stands beside them |
//! | numbers, dates, money of one currency | `is`, `not`, `one_of`, `at_least`, `at_most`, `above`, `below`, `between = [low, high]` |
//! | booleans | `is`, `not` |
//! | any | `present = true`, and `absent = true`, which is the same as `present = false` |
//!
//! Write money as `"1000.00 EUR"`; a string of this form always means money. Write a date without
//! quotes, as `2026-01-31` (its midnight in UTC) or `2026-01-31T12:00:00Z`.
//!
//! `all = [{ … }, { … }]`, `any = [ … ]` and `not = { … }` combine conditions. Write a key that is
//! itself named `any` as `keys = { any = … }`.
//!
//! A condition on an absent key, or on a value of another kind, does not hold. So `plan = { not =
//! "free" }` does not match an event without `plan`. To match that event too, negate the whole
//! condition: `not = { plan = "free" }`.
//!
//! ## Actions
//!
//! - `also_send = "name"` derives an event with the same contact, `created_at` and metadata. For
//!   some of the metadata, write `also_send = { name = "…", keys = ["amount"] }`. For several
//!   events, write a list.
//! - `rename = "name"` sends the event under another name. If several rules match, the first
//!   `rename` counts.
//! - `drop = true` does not send the event, even if another rule renames it. The rules still send
//!   the derived events. A rule cannot have both `rename` and `drop`.
//!
//! A rule can also have a `name`, which [`Rules::explain`] and [`Applied`] show. Its default is its
//! position and its event, such as `rule 1 on invoice_paid`.
//!
//! ## Mistakes
//!
//! Loading checks the rules against a [`Catalogue`](intercom_core::Catalogue). It refuses unknown
//! events and keys, and conditions that can never hold. The event that an action makes must fit the
//! catalogue's type of that name. So loading also refuses an action whose event has an unknown key,
//! has a key of another kind, or lacks a required key. It reports all mistakes, with line and
//! column.

mod check;
mod condition;
mod error;
mod evaluate;
mod explain;
mod load;
mod rule;
mod target;
#[cfg(feature = "toml")]
mod toml;

pub use condition::{Condition, Key, Operand, key};
pub use error::{Mistake, RulesError};
pub use explain::{Explanation, Reason, RuleExplanation};
pub use load::{Applied, Rules, RulesBuilder};
pub use rule::Rule;
