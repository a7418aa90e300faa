//! The command line.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use super::contacts_file;
use super::events_lock;
use super::limits::given;
use super::log::{Output, Values};
use super::values;
use crate::{Fault, Region, Sandbox, SandboxBuilder, SeedContact};

/// A local Intercom to develop and test against
///
/// Listens on this machine alone, unless --listen says otherwise. Answers by Intercom's rules,
/// and prints each request. Open the printed address to see the events, to create contacts, and
/// to switch faults on and off. Ctrl-C ends the program.
#[derive(Parser)]
#[command(name = "intercom-sandbox", version, verbatim_doc_comment, after_long_help = EXAMPLES)]
#[command(allow_negative_numbers = true)]
pub struct Arguments {
    /// Port; 0 picks a free one
    #[arg(long, default_value_t = 4680)]
    port: u16,

    /// Address to listen on; 0.0.0.0 for all of this machine's addresses, as in a container
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,

    /// Name by which other machines can reach the page and the admin API; can be repeated
    #[arg(long = "allow-host", value_name = "NAME")]
    allowed_hosts: Vec<String>,

    /// File that keeps contacts, events and requests from one start to the next
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Access token to accept; each further one is another app, with a rate limit of its own
    #[arg(
        long = "token",
        value_name = "TOKEN",
        value_parser = values::token,
        default_value = "sandbox-token",
        help_heading = APPS
    )]
    tokens: Vec<String>,

    /// App id to accept over HTTP Basic, as the user name
    #[arg(
        long,
        value_name = "ID",
        value_parser = values::app_id,
        default_value = "sandbox-app",
        help_heading = APPS
    )]
    app_id: String,

    /// API key to accept over HTTP Basic, as the password
    #[arg(long, value_name = "KEY", help_heading = APPS, default_value = "sandbox-key")]
    api_key: String,

    /// Region in the answer to GET /me: US, EU or AU
    #[arg(
        long,
        value_name = "REGION",
        value_parser = values::region,
        default_value_t = Region::Us,
        help_heading = APPS
    )]
    region: Region,

    /// Accept events for any contact
    #[arg(long, help_heading = CONTACTS)]
    pub(super) know_everybody: bool,

    /// Contact to know from the start, user_id=…, email=… or id=…; can be repeated
    #[arg(
        long = "contact",
        value_name = "KIND=VALUE",
        value_parser = values::contact,
        help_heading = CONTACTS
    )]
    contacts: Vec<SeedContact>,

    /// Contacts to know from the start, as JSON: [{"user_id": "42", "email": "ada@example.com"}, …]
    ///
    /// A contact has at least one of "user_id", "email" and "id", and can have "role" ("user" or
    /// "lead"), "name", "phone", "custom_attributes" and "archived". The answer of
    /// GET /_sandbox/contacts has this form too.
    #[arg(long = "contacts", value_name = "FILE", verbatim_doc_comment, help_heading = CONTACTS)]
    contact_files: Vec<PathBuf>,

    /// Time for which events get 404 for a new contact
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds, help_heading = CONTACTS)]
    contacts_settle_after: Option<Duration>,

    /// Lock of a program's events: warn of all that is not in it, and mask sensitive values
    #[arg(long, value_name = "FILE", help_heading = EVENTS)]
    lock: Option<PathBuf>,

    #[command(flatten)]
    limits: super::limits::LimitArguments,

    /// Fault to inject at the start, such as '503 for 20%'; can be repeated
    ///
    /// EFFECT [for 20%] [for next 3] [for 30s] [after acceptance]
    ///     [on events | on contacts | on everything | on event NAME]
    ///
    /// EFFECT is one of:
    ///     503 (any status), html 502, hang, hang up, reset, delay 2s, truncate, skew +30s,
    ///     without rate-limit headers, without request id, without content type,
    ///     outage, unreachable, revoke token, rate limit 5
    #[arg(long = "fault", value_name = "FAULT", verbatim_doc_comment, help_heading = FAULTS)]
    pub(super) faults: Vec<Fault>,

    /// Seed that decides which requests a percentage selects [default: another each time]
    #[arg(long, value_name = "NUMBER", help_heading = FAULTS)]
    seed: Option<u64>,

    /// Print contacts, values and answers too, except sensitive values
    #[arg(long, conflicts_with = "json", help_heading = OUTPUT)]
    values: bool,

    /// Print a whole request as a JSON object in each line, and all else on standard error
    #[arg(long, help_heading = OUTPUT)]
    json: bool,

    /// Print no requests
    #[arg(long, conflicts_with_all = ["json", "values"], help_heading = OUTPUT)]
    quiet: bool,

    #[command(flatten)]
    open_rules: super::open_rules::OpenRuleArguments,
}

const APPS: &str = "Apps and tokens";
const CONTACTS: &str = "Known contacts";
const EVENTS: &str = "Expected events";
const FAULTS: &str = "Faults";
const OUTPUT: &str = "Output";

/// The end of `--help`, which calls the program `intercom-sandbox`.
pub const EXAMPLES: &str = "Examples:
  intercom-sandbox --know-everybody
      accepts every valid event
  intercom-sandbox --contacts contacts.json --fault '503 for 20%' --seed 7
      knows the contacts in the file, and fails about every fifth request, the same in each run
  intercom-sandbox --port 0 --json | jq 'select(.outcome == \"refused\") | .problems'
      prints the problems of refused events

While it runs, in any language (GET /_sandbox/ lists the rest):
  curl http://127.0.0.1:4680/_sandbox/requests
      shows each request, its answer, and how to fix a refused one
  curl http://127.0.0.1:4680/_sandbox/faults \\
       -H 'Content-Type: application/json' -d '{\"fault\": \"429 for next 3\"}'
      answers the next three events with 429
  curl -X DELETE http://127.0.0.1:4680/_sandbox/faults \\
       -H 'Content-Type: application/json'
      removes all faults";

impl Arguments {
    pub(super) fn output(&self) -> Output {
        match (self.json, self.quiet) {
            (true, _) => Output::Json,
            (false, true) => Output::Nothing,
            (false, false) => Output::Lines(self.values()),
        }
    }

    /// Returns whether to print contacts and values in lines.
    pub(super) fn values(&self) -> Values {
        if self.values { Values::Shown } else { Values::Hidden }
    }

    pub(super) fn into_builder(self) -> Result<SandboxBuilder, Box<dyn Error>> {
        if (1..self.tokens.len()).any(|place| self.tokens[..place].contains(&self.tokens[place])) {
            return Err("two --token are the same: each app has a token of its own".into());
        }
        let mut builder = Sandbox::builder()
            .port(self.port)
            .listen(self.listen)
            .app_id(self.app_id)
            .api_key(self.api_key)
            .region(self.region)
            .know_everybody(self.know_everybody);
        builder = self.allowed_hosts.into_iter().fold(builder, SandboxBuilder::allow_host);
        builder = given(builder, self.state, SandboxBuilder::state_file);
        let mut tokens = self.tokens.into_iter();
        if let Some(token) = tokens.next() {
            builder = builder.token(token);
        }
        builder = tokens.fold(builder, SandboxBuilder::another_app);
        for path in &self.contact_files {
            builder = contacts_file::read(path)?.into_iter().fold(builder, SandboxBuilder::contact);
        }
        if let Some(path) = &self.lock {
            builder = builder.events_lock(events_lock::read(path)?);
        }
        builder = self.contacts.into_iter().fold(builder, SandboxBuilder::contact);
        builder = given(builder, self.contacts_settle_after, SandboxBuilder::contacts_settle_after);
        builder = given(builder, self.seed, SandboxBuilder::seed);
        Ok(self.limits.settle(builder).open_rules(self.open_rules.settle()))
    }
}
