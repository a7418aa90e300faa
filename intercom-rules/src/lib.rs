#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! ## Conditions
//!
//! `when` names keys with a condition each, and all conditions must hold. `plan = "pro"` is short
//! for `plan = { is = "pro" }`. Without `when`, a rule matches each event of its name.
//!
//! | of a key's value | conditions |
//! |---|---|
//! | text, links (a rich link by its URL) | `is`, `not`, `one_of`, `contains`, `starts_with`, each with `ignore_case = true` or without |
//! | numbers, dates, money of one currency | `is`, `not`, `one_of`, `at_least`, `at_most`, `above`, `below`, `between = [low, high]` |
//! | booleans | `is`, `not` |
//! | any | `present = true`, `absent = true` |
//!
//! Write money as `"1000.00 EUR"`, and a date as `2026-01-31` or `2026-01-31T12:00:00Z`.
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
//!   some of the metadata, write `also_send = { name = "…", keys = ["amount"] }`.
//! - `rename = "name"` sends the event under another name. If several rules match, the first
//!   `rename` counts.
//! - `drop = true` drops the event, even if another rule renames it. The rules still send the
//!   derived events.
//!
//! ## Mistakes
//!
//! Loading checks the rules against a [`Catalogue`](intercom_core::Catalogue). Loading refuses
//! unknown events and keys, and conditions that can never hold, with line and column. An action's
//! event must fit the catalogue's type of that name. So loading also refuses an event with an
//! unknown key, with a key of another kind, or without a required key.

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
