//! The flags for limits and retention.

use std::time::Duration;

use clap::Args;

use super::values::{memory, number, rate, room, timeout};
use crate::{Limits, Retention, SandboxBuilder};

#[derive(Args)]
pub(crate) struct LimitArguments {
    /// Limit of an app's requests in ten seconds [default: 1666]
    #[arg(long, value_name = "REQUESTS", value_parser = rate, help_heading = INTERCOM)]
    rate_limit: Option<u32>,

    /// Limit of all apps' requests in ten seconds [default: 4166, or --rate-limit if higher]
    #[arg(long, value_name = "REQUESTS", value_parser = rate, help_heading = INTERCOM)]
    workspace_rate_limit: Option<u32>,

    /// Allow any number of requests
    #[arg(
        long,
        conflicts_with_all = ["rate_limit", "workspace_rate_limit"],
        help_heading = INTERCOM
    )]
    no_rate_limit: bool,

    /// Event names that can be active [default: 120]
    #[arg(long, value_name = "NUMBER", value_parser = number, help_heading = INTERCOM)]
    active_event_names: Option<usize>,

    /// Size of the largest body, in bytes [default: 1048576]
    #[arg(long, value_name = "BYTES", value_parser = room, help_heading = INTERCOM)]
    body_limit: Option<usize>,

    /// Time for a body to arrive [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = timeout, help_heading = CLIENTS)]
    body_timeout: Option<Duration>,

    /// Time that a connection can be idle, or take for the head of a request [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = timeout, help_heading = CLIENTS)]
    idle_timeout: Option<Duration>,

    /// Limit of open connections; further ones get 503 [default: 4096]
    #[arg(long, value_name = "NUMBER", value_parser = room, help_heading = CLIENTS)]
    max_connections: Option<usize>,

    /// Limit of bytes of incoming bodies; further bodies get 503 [default: 268435456]
    #[arg(long, value_name = "BYTES", value_parser = room, help_heading = CLIENTS)]
    max_incoming_bytes: Option<usize>,

    /// Limit of contacts [default: 100000]
    #[arg(long, value_name = "NUMBER", value_parser = number, help_heading = CONTACTS)]
    max_contacts: Option<usize>,

    /// Limit of bytes of all contacts [default: 134217728]
    #[arg(long, value_name = "BYTES", value_parser = number, help_heading = CONTACTS)]
    max_contact_bytes: Option<usize>,

    /// Requests to remember, for the page and the admin API [default: 10000]
    #[arg(long, value_name = "NUMBER", value_parser = number, help_heading = MEMORY)]
    keep_requests: Option<usize>,

    /// Accepted events to remember, for GET /events and the catalogue [default: 10000]
    #[arg(long, value_name = "NUMBER", value_parser = number, help_heading = MEMORY)]
    keep_events: Option<usize>,

    /// Bytes for the requests, and again for the events [default: 134217728]
    #[arg(long, value_name = "BYTES", value_parser = number, help_heading = MEMORY)]
    keep_bytes: Option<usize>,

    /// Last events that a duplicate can repeat [default: 25000, or --keep-events if higher]
    #[arg(
        long,
        value_name = "NUMBER",
        value_parser = memory,
        conflicts_with = "keep_duplicates",
        help_heading = MEMORY
    )]
    deduplicate_among: Option<usize>,
}

const CONTACTS: &str = "Known contacts";
const INTERCOM: &str = "Intercom's limits";
const CLIENTS: &str = "Limits on clients";
const MEMORY: &str = "Memory";

impl LimitArguments {
    pub(super) fn settle(self, mut builder: SandboxBuilder) -> SandboxBuilder {
        if self.no_rate_limit {
            builder = builder.no_rate_limit();
        }
        builder = given(builder, self.rate_limit, SandboxBuilder::rate_limit);
        builder = given(builder, self.workspace_rate_limit, SandboxBuilder::workspace_rate_limit);
        builder = given(builder, self.active_event_names, SandboxBuilder::active_event_names);
        let limits = Limits::default();
        let limits = given(limits, self.body_limit, Limits::body_limit);
        let limits = given(limits, self.body_timeout, Limits::body_timeout);
        let limits = given(limits, self.idle_timeout, Limits::idle_timeout);
        let limits = given(limits, self.max_connections, Limits::max_connections);
        let limits = given(limits, self.max_incoming_bytes, Limits::max_incoming_bytes);
        let limits = given(limits, self.max_contacts, Limits::max_contacts);
        let limits = given(limits, self.max_contact_bytes, Limits::max_contact_bytes);
        let retention = Retention::default();
        let retention = given(retention, self.keep_requests, Retention::keep_requests);
        let retention = given(retention, self.keep_events, Retention::keep_events);
        let retention = given(retention, self.keep_bytes, Retention::keep_bytes);
        let retention = given(retention, self.deduplicate_among, Retention::deduplicate_among);
        builder.limits(limits).retention(retention)
    }
}

/// Applies a flag's value, and keeps the default without one.
pub(super) fn given<S, T>(settings: S, value: Option<T>, settle: impl FnOnce(S, T) -> S) -> S {
    match value {
        Some(value) => settle(settings, value),
        None => settings,
    }
}
