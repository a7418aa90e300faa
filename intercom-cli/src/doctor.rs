//! `intercom doctor`: looks at everything that a delivery needs, and says what to do.

use std::env;
use std::fmt;
use std::time::{Duration, SystemTime};

use clap::Args;
use intercom_core::{ErrorKind, SendError};
use intercom_http::{Region, Workspace};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, FailureReport, with_sources};
use crate::lock_file::{LockArguments, LockFile};
use crate::outbox::Inspector;
use crate::output::{Printable, count};
use crate::settings::{Access, OutboxArguments};

/// The largest accepted difference of the clocks. Intercom orders events by their times.
const MAX_SKEW: Duration = Duration::from_secs(60);

/// The age of a pending event from which the command warns.
const MAX_PENDING_AGE: Duration = Duration::from_secs(3600);

/// Checks token, region, clock, network, proxy, outbox and lock, and says what to do
///
/// It asks Intercom once, for the token's workspace, and changes nothing. The exit code is 4 if a
/// check failed. A warning is a fault that does no harm yet.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, before_help = "Example:\n  intercom doctor --outbox events.db")]
pub(crate) struct Arguments {
    #[command(flatten)]
    access: Access,

    #[command(flatten)]
    outbox: OutboxArguments,

    #[command(flatten)]
    lock: LockArguments,
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Ok,
    Warning,
    Failed,
    /// Not checked, because another check failed, or the configuration lacks it.
    Skipped,
}

/// One check.
#[derive(Serialize)]
struct Check {
    check: &'static str,
    outcome: Outcome,
    message: String,
}

impl Printable for Check {
    const TYPE: &'static str = "check";
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Ok => "ok",
            Outcome::Warning => "WARNING",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "-",
        };
        write!(f, "{outcome:<8}{:<14}{}", self.check, self.message)
    }
}

/// Prints each check at once.
struct Checks<'a> {
    context: &'a Context,
    failed: u64,
}

impl Checks<'_> {
    fn report(
        &mut self,
        check: &'static str,
        outcome: Outcome,
        message: impl Into<String>,
    ) -> Result<(), Failure> {
        self.failed += u64::from(outcome == Outcome::Failed);
        self.context.output.data(&Check { check, outcome, message: message.into() })
    }

    fn fail(&mut self, check: &'static str, failure: &Failure) -> Result<(), Failure> {
        match failure {
            Failure::Reported(FailureReport { message, .. }) => {
                self.report(check, Outcome::Failed, message)
            }
            Failure::PipeClosed => Err(Failure::PipeClosed),
        }
    }
}

/// Runs the command.
pub(crate) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let mut checks = Checks { context, failed: 0 };
    context.interrupt.or(check_all(&mut checks, arguments)).await?;
    match checks.failed {
        0 => Ok(Exit::Done),
        failed => {
            let message = format!("failed: {}", count(failed, "check"));
            Err(Failure::new(Exit::Operator, "checks_failed", message))
        }
    }
}

async fn check_all(checks: &mut Checks<'_>, arguments: &Arguments) -> Result<(), Failure> {
    configuration(checks)?;
    proxy(checks)?;
    let base_url = address(checks, &arguments.access)?;
    intercom(checks, &arguments.access, base_url.as_deref()).await?;
    outbox(checks, &arguments.outbox).await?;
    lock(checks, &arguments.lock)
}

fn configuration(checks: &mut Checks<'_>) -> Result<(), Failure> {
    let settings = &checks.context.settings;
    let file = settings.file.as_ref().map(|file| file.display().to_string());
    let message = match (file, settings.profile_name()) {
        (None, _) => return checks.report("configuration", Outcome::Skipped, "no file"),
        (Some(file), None) => format!("{file}, no profile"),
        (Some(file), Some(profile)) => format!("{file}, profile {profile}"),
    };
    checks.report("configuration", Outcome::Ok, message)
}

/// Names the variables that select a proxy. Their values may contain a password.
fn proxy(checks: &mut Checks<'_>) -> Result<(), Failure> {
    const VARIABLES: [&str; 6] =
        ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];
    let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let set: Vec<_> = VARIABLES.into_iter().filter(is_set).collect();
    if set.is_empty() {
        return checks.report("proxy", Outcome::Ok, "none in the environment");
    }
    let exceptions = ["NO_PROXY", "no_proxy"].into_iter().find(is_set);
    let except = exceptions.map(|name| format!(", except {name}")).unwrap_or_default();
    checks.report("proxy", Outcome::Ok, format!("by {}{except}", set.join(", ")))
}

fn address(checks: &mut Checks<'_>, access: &Access) -> Result<Option<String>, Failure> {
    match checks.context.settings.base_url(access) {
        Ok(found) => {
            checks.report("address", Outcome::Ok, format!("{} ({})", found.value, found.source))?;
            Ok(Some(found.value))
        }
        Err(failure) => checks.fail("address", &failure).map(|()| None),
    }
}

/// Checks the token, the network and the clock by one answer.
async fn intercom(
    checks: &mut Checks<'_>,
    access: &Access,
    base_url: Option<&str>,
) -> Result<(), Failure> {
    let settings = &checks.context.settings;
    let skip = |checks: &mut Checks<'_>, names: &[&'static str]| {
        names.iter().try_for_each(|name| checks.report(name, Outcome::Skipped, "not checked"))
    };
    let Some(base_url) = base_url else {
        return skip(checks, &["network", "token", "region", "clock"]);
    };
    let made = settings
        .token()
        .and_then(|token| Ok((settings.transport_with(token.value, access)?, token.source)));
    let (transport, source) = match made {
        Ok(made) => made,
        Err(failure) => {
            checks.fail("token", &failure)?;
            return skip(checks, &["network", "region", "clock"]);
        }
    };
    let asked = SystemTime::now();
    match transport.verify().await {
        Ok(workspace) => {
            let answered = SystemTime::now();
            checks.report("network", Outcome::Ok, "Intercom answers")?;
            checks.report("token", Outcome::Ok, format!("taken by Intercom ({source})"))?;
            self::workspace(checks, &workspace)?;
            region(checks, &workspace, access, base_url)?;
            clock(checks, &workspace, asked, answered)
        }
        Err(error) => {
            report_send_error(checks, &error, &source.to_string())?;
            skip(checks, &["region", "clock"])
        }
    }
}

/// Reports why Intercom did not answer the request.
fn report_send_error(
    checks: &mut Checks<'_>,
    error: &SendError,
    source: &str,
) -> Result<(), Failure> {
    let message = with_sources(error);
    match error.kind() {
        ErrorKind::Unauthorized | ErrorKind::Forbidden => {
            checks.report("network", Outcome::Ok, "Intercom answers")?;
            checks.report("token", Outcome::Failed, format!("{message} (token: {source})"))
        }
        ErrorKind::RateLimited | ErrorKind::Unavailable => {
            checks.report("network", Outcome::Warning, message)?;
            checks.report("token", Outcome::Skipped, "not checked")
        }
        _ => {
            let advice = match error.kind() {
                ErrorKind::Certificate => {
                    "; check the clock, the CA certificates and SSL_CERT_FILE"
                }
                ErrorKind::Timeout | ErrorKind::Connection => {
                    "; check the name server, the firewall and the proxy"
                }
                _ => "",
            };
            checks.report("network", Outcome::Failed, format!("{message}{advice}"))?;
            checks.report("token", Outcome::Skipped, "not checked")
        }
    }
}

fn workspace(checks: &mut Checks<'_>, workspace: &Workspace) -> Result<(), Failure> {
    let [id, name] = [&workspace.id, &workspace.name].map(|text| text.as_deref().unwrap_or("?"));
    match checks.context.settings.workspace() {
        Some(wanted) if wanted != id => checks.report(
            "workspace",
            Outcome::Failed,
            format!(
                "the token belongs to {id} ({name}), and the profile names {wanted}; correct the \
                 token or the profile"
            ),
        ),
        _ => checks.report("workspace", Outcome::Ok, format!("{id} ({name})")),
    }
}

/// Compares the workspace's region with the address's region. For the address of a proxy or a
/// sandbox, compares with the region in the settings.
fn region(
    checks: &mut Checks<'_>,
    workspace: &Workspace,
    access: &Access,
    base_url: &str,
) -> Result<(), Failure> {
    let Some(region) = workspace.region else {
        return checks.report("region", Outcome::Skipped, "Intercom does not say");
    };
    let is_of = |region: &Region| base_url.trim_end_matches('/') == region.base_url();
    let asked = match [Region::Us, Region::Eu, Region::Au].into_iter().find(is_of) {
        Some(asked) => Some(asked),
        None => match checks.context.settings.region(access) {
            Ok(named) => named,
            Err(failure) => return checks.fail("region", &failure),
        },
    };
    match asked {
        Some(asked) if asked != region => checks.report(
            "region",
            Outcome::Failed,
            format!(
                "the workspace is in {region}, and the region is set to {asked}; set it to {region}"
            ),
        ),
        _ => checks.report("region", Outcome::Ok, region.to_string()),
    }
}

/// Compares the clocks, with a tolerance: Intercom sends whole seconds, and the response took some
/// time.
fn clock(
    checks: &mut Checks<'_>,
    workspace: &Workspace,
    asked: SystemTime,
    answered: SystemTime,
) -> Result<(), Failure> {
    let Some(theirs) = workspace.answered_at else {
        return checks.report("clock", Outcome::Skipped, "the answer has no date");
    };
    let ahead = asked.duration_since(theirs + Duration::from_secs(1)).unwrap_or_default();
    let behind = theirs.duration_since(answered).unwrap_or_default();
    let (skew, direction) = if ahead > behind { (ahead, "ahead of") } else { (behind, "behind") };
    if skew > MAX_SKEW {
        let seconds = skew.as_secs();
        return checks.report(
            "clock",
            Outcome::Failed,
            format!(
                "{seconds} s {direction} Intercom's, \
                 so events get wrong times; synchronize the clock"
            ),
        );
    }
    checks.report("clock", Outcome::Ok, "agrees with Intercom's")
}

async fn outbox(checks: &mut Checks<'_>, arguments: &OutboxArguments) -> Result<(), Failure> {
    let location = match checks.context.settings.outbox(arguments) {
        Ok(Some(location)) => location.value,
        Ok(None) => return checks.report("outbox", Outcome::Skipped, "none is named"),
        Err(failure) => return checks.fail("outbox", &failure),
    };
    let looked = async {
        let inspector = Inspector::open(&location).await?;
        let mistakes = inspector.check().await?;
        let counts = inspector.counts().await?;
        Ok::<_, Failure>((mistakes, counts))
    };
    let (mistakes, counts) = match looked.await {
        Ok(found) => found,
        Err(failure) => return checks.fail("outbox", &failure),
    };
    if let Some(mistake) = mistakes.first() {
        let message = format!(
            "{location} is damaged ({mistake}); stop the application, move the file away with its \
             -wal and -shm, and recover events with `sqlite3 … .recover`"
        );
        return checks.report("outbox", Outcome::Failed, message);
    }
    if !counts.is_balanced() {
        let message =
            format!("the counts of {location} do not add up: {counts}; report this as a bug");
        return checks.report("outbox", Outcome::Failed, message);
    }
    checks.report("outbox", Outcome::Ok, format!("{location}: {counts}"))?;
    if let Some(age) = counts.oldest_pending.filter(|age| *age > MAX_PENDING_AGE) {
        let hours = age.as_secs() / 3600;
        let message = format!(
            "the oldest pending event is {hours} h old; `intercom outbox pending` shows its last \
             failure, and `intercom outbox status` whether a process delivers"
        );
        checks.report("delivery", Outcome::Warning, message)?;
    }
    if counts.dead_letters > 0 {
        let letters = count(counts.dead_letters, "dead letter");
        let message = format!("{letters}; `intercom outbox dead` shows why");
        checks.report("dead letters", Outcome::Warning, message)?;
    }
    Ok(())
}

fn lock(checks: &mut Checks<'_>, arguments: &LockArguments) -> Result<(), Failure> {
    match LockFile::find(&checks.context.settings, arguments) {
        Ok(None) => checks.report("lock", Outcome::Skipped, "none is named"),
        Ok(Some(lock)) => {
            let plan = lock.lock.plan();
            let (events, budget) = (plan.events().len(), plan.budget());
            let message = format!("{}: {events} of {budget} event names", lock.path.display());
            checks.report("lock", Outcome::Ok, message)
        }
        Err(failure) => checks.fail("lock", &failure),
    }
}
