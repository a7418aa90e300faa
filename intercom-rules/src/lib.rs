#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! ## Conditions
//!
//! `when` names keys, and all of them must hold. A bare value means `is`.
//!
//! | of a key's value | conditions |
//! |---|---|
//! | text, links (a rich link by its URL) | `is`, `not`, `one_of`, `contains`, `starts_with`, each with `ignore_case = true` or without |
//! | numbers, dates, money of one currency | `is`, `not`, `one_of`, `at_least`, `at_most`, `above`, `below`, `between = [low, high]` |
//! | booleans | `is`, `not` |
//! | any | `present = true`, `absent = true` |
//!
//! Money is written as `"1000.00 EUR"`, a date as `2026-01-31` or `2026-01-31T12:00:00Z`.
//!
//! `all = [{ … }, { … }]`, `any = [ … ]` and `not = { … }` combine conditions. A key of such a name is
//! written as `keys = { any = … }`.
//!
//! A condition about a key that is absent, or is of another kind, does not hold: also `not` does not. To
//! hold where the key is absent too, a condition is turned around as a whole:
//! `not = { plan = "free" }`.
//!
//! ## Actions
//!
//! - `also_send = "name"` derives an event: of the same contact and second, with the same metadata, or
//!   some of it: `also_send = { name = "…", keys = ["amount"] }`.
//! - `rename = "name"` sends the event by another name. Of several rules that match, the first counts.
//! - `drop = true` does not send it. What the rules derive from it is sent.
//!
//! ## Mistakes
//!
//! Rules are checked when they are loaded, against a [`Catalogue`](intercom_core::Catalogue). Events and
//! keys that are not in it, and conditions that can never hold, are refused with line and column. So is
//! an action that makes an event unlike the type of that name: with a key that the type does not have,
//! with a key of another kind, or without a key that the type always has.

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
