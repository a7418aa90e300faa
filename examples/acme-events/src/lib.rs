//! What can happen at Acme, as types.
//!
//! This crate depends on `intercom-core` and on nothing that sends: no runtime, no HTTP.

use std::time::SystemTime;

use intercom_core::{EventMetadata, IntercomEvent, Money, catalogue};

/// Something happened to a project.
#[derive(Debug, IntercomEvent)]
pub enum ProjectEvent<'a> {
    /// Somebody began a project.
    #[event(name = "project_created")]
    Created {
        /// Who began it.
        #[event(user_id)]
        owner: u64,
        /// The number in the project's address.
        project_id: u64,
        /// What they called it.
        #[event(rename = "project_name", truncate)]
        name: &'a str,
    },
    /// Somebody ended a project.
    #[event(name = "project_deleted")]
    Deleted {
        /// Who ended it.
        #[event(user_id)]
        by: u64,
        /// The number in the project's address.
        project_id: u64,
        /// What they said on leaving.
        reason: Option<&'a str>,
    },
}

/// A customer paid an invoice.
#[derive(Debug, IntercomEvent)]
#[event(name = "invoice_paid")]
pub struct InvoicePaid<'a> {
    /// Who paid.
    #[event(email)]
    pub customer: &'a str,
    /// How much.
    pub amount: Money,
    /// By when they had to.
    pub due_date: Option<SystemTime>,
    /// For what.
    #[event(flatten)]
    pub billing: Billing<'a>,
}

/// What a customer pays for.
#[derive(Debug, EventMetadata)]
pub struct Billing<'a> {
    /// The plan's name.
    pub plan: &'a str,
    /// For how many people.
    pub seats: u32,
}

catalogue! {
    /// What happens at Acme.
    pub static ACME: ProjectEvent<'_>, InvoicePaid<'_>
}
