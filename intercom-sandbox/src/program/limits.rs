//! The flags for how much is allowed, what clients may claim, and what is remembered.

use std::time::Duration;

use clap::Args;
use intercom_sandbox::SandboxBuilder;

use super::values::{memory, number, patience, rate, room};

#[derive(Args)]
pub(crate) struct Limits {
    /// Requests an app is allowed in ten seconds [default: 1666]
    #[arg(long, value_name = "REQUESTS", value_parser = rate, help_heading = INTERCOM)]
    rate_limit: Option<u32>,

    /// Requests all apps together are allowed in ten seconds [default: 4166, or as one app]
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

    /// Time that a body may take to come in [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = patience, help_heading = CLIENTS)]
    body_timeout: Option<Duration>,

    /// Time that a connection may do nothing, or take for the head of a request [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = patience, help_heading = CLIENTS)]
    idle_timeout: Option<Duration>,

    /// Connections that are open at a time; those beyond are answered with 503 [default: 4096]
    #[arg(long, value_name = "NUMBER", value_parser = room, help_heading = CLIENTS)]
    max_connections: Option<usize>,

    /// Bytes of bodies that are on their way in at a time; beyond it 503 [default: 268435456]
    #[arg(long, value_name = "BYTES", value_parser = room, help_heading = CLIENTS)]
    max_incoming_bytes: Option<usize>,

    /// Requests that are remembered, for the page and the admin API [default: 10000]
    #[arg(long, value_name = "NUMBER", value_parser = number, help_heading = MEMORY)]
    keep_requests: Option<usize>,

    /// Accepted events that are remembered, for GET /events and the catalogue [default: 10000]
    #[arg(long, value_name = "NUMBER", value_parser = number, help_heading = MEMORY)]
    keep_events: Option<usize>,

    /// Bytes for the requests, and again for the events; the oldest leave [default: 134217728]
    #[arg(long, value_name = "BYTES", value_parser = number, help_heading = MEMORY)]
    keep_bytes: Option<usize>,

    /// Events among the last of which duplicates are found [default: 25000, or those remembered]
    #[arg(
        long,
        value_name = "NUMBER",
        value_parser = memory,
        conflicts_with = "keep_duplicates",
        help_heading = MEMORY
    )]
    deduplicate_among: Option<usize>,
}

const INTERCOM: &str = "How much is allowed";
const CLIENTS: &str = "What clients may claim";
const MEMORY: &str = "What is remembered";

impl Limits {
    pub(super) fn settle(self, mut builder: SandboxBuilder) -> SandboxBuilder {
        if self.no_rate_limit {
            builder = builder.no_rate_limit();
        }
        builder = given(builder, self.rate_limit, SandboxBuilder::rate_limit);
        builder = given(builder, self.workspace_rate_limit, SandboxBuilder::workspace_rate_limit);
        builder = given(builder, self.active_event_names, SandboxBuilder::active_event_names);
        builder = given(builder, self.body_limit, SandboxBuilder::body_limit);
        builder = given(builder, self.body_timeout, SandboxBuilder::body_timeout);
        builder = given(builder, self.idle_timeout, SandboxBuilder::idle_timeout);
        builder = given(builder, self.max_connections, SandboxBuilder::max_connections);
        builder = given(builder, self.max_incoming_bytes, SandboxBuilder::max_incoming_bytes);
        builder = given(builder, self.keep_requests, SandboxBuilder::keep_requests);
        builder = given(builder, self.keep_events, SandboxBuilder::keep_events);
        builder = given(builder, self.keep_bytes, SandboxBuilder::keep_bytes);
        given(builder, self.deduplicate_among, SandboxBuilder::deduplicate_among)
    }
}

/// Settles what was given on the command line, and leaves the rest to the builder's defaults.
pub(super) fn given<T>(
    builder: SandboxBuilder,
    value: Option<T>,
    settle: impl FnOnce(SandboxBuilder, T) -> SandboxBuilder,
) -> SandboxBuilder {
    match value {
        Some(value) => settle(builder, value),
        None => builder,
    }
}
