//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use intercom_sandbox::{Fault, Sandbox, SandboxBuilder, SeedContact};

use super::contacts_file::{self, ContactsError};
use super::log::Output;

/// A local Intercom to develop and test against
///
/// It listens on this machine alone, answers by Intercom's rules, and prints what arrives.
/// Open the address that it prints to watch the events come in, and to switch faults on and
/// off. Ctrl-C ends it.
#[derive(Parser)]
#[command(name = "intercom-sandbox", version, verbatim_doc_comment, after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Port on 127.0.0.1; 0 stands for any that is free
    #[arg(long, default_value_t = 4680)]
    port: u16,

    /// Connections that are open at a time; those beyond are answered with 503 [default: 4096]
    #[arg(long, value_name = "NUMBER")]
    max_connections: Option<usize>,

    /// Requests that are remembered, for the page and the admin API [default: 10000]
    #[arg(long, value_name = "NUMBER")]
    keep_requests: Option<usize>,

    /// Access token to accept; repeated for each further app, which has a rate limit of its own
    #[arg(
        long = "token",
        value_name = "TOKEN",
        value_parser = parse_token,
        default_value = "sandbox-token",
        help_heading = APPS
    )]
    tokens: Vec<String>,

    /// App id to accept over HTTP Basic, as the user name
    #[arg(long, value_name = "ID", help_heading = APPS, default_value = "sandbox-app")]
    app_id: String,

    /// API key to accept over HTTP Basic, as the password
    #[arg(long, value_name = "KEY", help_heading = APPS, default_value = "sandbox-key")]
    api_key: String,

    /// Region that `GET /me` tells
    #[arg(long, value_name = "REGION", help_heading = APPS, default_value = "US")]
    region: String,

    /// Accept events for any contact
    #[arg(long, help_heading = CONTACTS)]
    pub(super) know_everybody: bool,

    /// Contact to know from the start, user_id=…, email=… or id=…; can be repeated
    #[arg(
        long = "contact",
        value_name = "KIND=VALUE",
        value_parser = parse_contact,
        help_heading = CONTACTS
    )]
    contacts: Vec<SeedContact>,

    /// Contacts to know from the start, as JSON: [{"user_id": "42", "email": "ada@example.com"}, …]
    ///
    /// A contact has at least one of "user_id", "email" and "id", and can have "role" ("user" or
    /// "lead"), "name", "phone", "custom_attributes" and "archived". What GET /_sandbox/contacts
    /// answers is understood too.
    #[arg(long = "contacts", value_name = "FILE", verbatim_doc_comment, help_heading = CONTACTS)]
    contact_files: Vec<PathBuf>,

    /// Time for which events of a contact that was just created are answered with 404
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, help_heading = CONTACTS)]
    contacts_settle_after: Option<Duration>,

    /// Contacts that there can be [default: 100000]
    #[arg(long, value_name = "NUMBER", help_heading = CONTACTS)]
    max_contacts: Option<usize>,

    /// Requests an app is allowed in ten seconds [default: 1666]
    #[arg(long, value_name = "REQUESTS", help_heading = LIMITS)]
    rate_limit: Option<u32>,

    /// Requests all apps together are allowed in ten seconds [default: 4166, or as one app]
    #[arg(long, value_name = "REQUESTS", help_heading = LIMITS)]
    workspace_rate_limit: Option<u32>,

    /// Allow any number of requests
    #[arg(
        long,
        conflicts_with_all = ["rate_limit", "workspace_rate_limit"],
        help_heading = LIMITS
    )]
    no_rate_limit: bool,

    /// Event names that can be active [default: 120]
    #[arg(long, value_name = "NUMBER", help_heading = LIMITS)]
    active_event_names: Option<usize>,

    /// Size of the largest body, in bytes [default: 1048576]
    #[arg(long, value_name = "BYTES", help_heading = LIMITS)]
    body_limit: Option<usize>,

    /// Something that goes wrong from the start, such as '503 for 20%'; can be repeated
    ///
    /// EFFECT [for 20%] [for next 3] [for 30s] [after acceptance]
    ///     [on events | on contacts | on everything | on event NAME]
    ///
    /// EFFECT is a status such as 503, html 502, hang, hang up, reset, delay 2s, truncate,
    /// without rate-limit headers, without request id, without content type, skew +30s,
    /// outage, unreachable, revoke token, or rate limit 5.
    #[arg(long = "fault", value_name = "FAULT", verbatim_doc_comment, help_heading = FAULTS)]
    pub(super) faults: Vec<Fault>,

    /// Number that decides which requests a percentage strikes [default: another every time]
    #[arg(long, value_name = "NUMBER", help_heading = FAULTS)]
    seed: Option<u64>,

    /// Print a JSON object for every request, and all else on standard error
    #[arg(long, help_heading = OUTPUT)]
    json: bool,

    /// Print no requests
    #[arg(long, conflicts_with = "json", help_heading = OUTPUT)]
    quiet: bool,

    #[command(flatten)]
    open_rules: super::open_rules::OpenRules,
}

const APPS: &str = "Who is let in";
const CONTACTS: &str = "Who is known";
const LIMITS: &str = "How much is allowed";
const FAULTS: &str = "What goes wrong";
const OUTPUT: &str = "What is printed";

const EXAMPLES: &str = "Examples:
  intercom-sandbox --know-everybody
      takes every event that nothing is wrong with
  intercom-sandbox --contacts people.json --fault '503 for 20%' --seed 7
      knows the people in the file, and fails about every fifth request, the same ones each time
  intercom-sandbox --port 0 --json | jq 'select(.outcome == \"refused\") | .problems'
      prints what is wrong with the events that are refused

While it runs, in any language (GET /_sandbox/ lists the rest):
  curl http://127.0.0.1:4680/_sandbox/requests
      what came in, what was answered, and how to mend what was refused
  curl http://127.0.0.1:4680/_sandbox/faults \\
       -H 'Content-Type: application/json' -d '{\"fault\": \"429 for next 3\"}'
      lets the next three events meet a rate limit
  curl -X DELETE http://127.0.0.1:4680/_sandbox/faults \\
       -H 'Content-Type: application/json'
      lifts all faults";

impl Arguments {
    pub(super) fn output(&self) -> Output {
        match (self.json, self.quiet) {
            (true, _) => Output::Json,
            (false, true) => Output::Nothing,
            (false, false) => Output::Lines,
        }
    }

    pub(super) fn into_builder(self) -> Result<SandboxBuilder, ContactsError> {
        let mut builder = Sandbox::builder()
            .port(self.port)
            .app_id(self.app_id)
            .api_key(self.api_key)
            .region(self.region)
            .know_everybody(self.know_everybody);
        let mut tokens = self.tokens.into_iter();
        if let Some(token) = tokens.next() {
            builder = builder.token(token);
        }
        builder = tokens.fold(builder, SandboxBuilder::another_app);
        for path in &self.contact_files {
            builder = contacts_file::read(path)?.into_iter().fold(builder, SandboxBuilder::contact);
        }
        builder = self.contacts.into_iter().fold(builder, SandboxBuilder::contact);
        if self.no_rate_limit {
            builder = builder.no_rate_limit();
        }
        builder = given(builder, self.rate_limit, SandboxBuilder::rate_limit);
        builder = given(builder, self.workspace_rate_limit, SandboxBuilder::workspace_rate_limit);
        builder = given(builder, self.active_event_names, SandboxBuilder::active_event_names);
        builder = given(builder, self.body_limit, SandboxBuilder::body_limit);
        builder = given(builder, self.max_connections, SandboxBuilder::max_connections);
        builder = given(builder, self.keep_requests, SandboxBuilder::keep_requests);
        builder = given(builder, self.max_contacts, SandboxBuilder::max_contacts);
        builder = given(builder, self.contacts_settle_after, SandboxBuilder::contacts_settle_after);
        builder = given(builder, self.seed, SandboxBuilder::seed);
        Ok(self.open_rules.settle(builder))
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

fn parse_token(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("nobody can send a token that is empty or has spaces in it".to_owned());
    }
    Ok(text.to_owned())
}

fn parse_contact(text: &str) -> Result<SeedContact, String> {
    match text.split_once('=') {
        Some((_, "")) => Err("the value is empty".to_owned()),
        Some(("user_id", value)) => Ok(SeedContact::user_id(value)),
        Some(("email", value)) => Ok(SeedContact::email(value)),
        Some(("id", value)) => Ok(SeedContact::contact_id(value)),
        _ => Err("expected user_id=…, email=… or id=…".to_owned()),
    }
}

pub(super) fn parse_seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "expected a number of seconds".to_owned())
}
