//! A fault: its effect, its share of requests, its scope and its time.

use std::time::Duration;

use super::scope::{Scope, fold};
use crate::answer::Answer;

/// A failure that a test or a person switches on: see [`Sandbox::inject`](crate::Sandbox::inject).
///
/// A constructor names the effect, and the other methods select the requests. By default a fault
/// applies to every `POST /events`, before the sandbox reads the event, until you remove the fault.
/// A constructor with another default says so.
///
/// ```
/// use std::time::Duration;
/// use intercom_sandbox::{Answer, Fault};
///
/// let flaky = Fault::answer(503).percent(20.0);
/// let slow = Fault::delay(Duration::from_secs(2)).percent(10.0).on_contacts();
/// let down = Fault::outage().lasting(Duration::from_secs(30));
/// // The sandbox accepts the event, and the client never learns it.
/// let lost = Fault::answer(Answer::hang_up()).after_acceptance().next(1);
/// ```
///
/// # As text
///
/// The text of a fault is `EFFECT [CLAUSE …]`. The admin API, the program's `--fault`,
/// [`str::parse`] and `Display` use the same text.
///
/// ```
/// use intercom_sandbox::Fault;
///
/// let flaky: Fault = "503 for 20%".parse()?;
/// let slow: Fault = "delay 2s for 10% for 30s on contacts".parse()?;
/// let lost: Fault = "hang up after acceptance for the next 1".parse()?;
/// assert_eq!(lost.to_string(), "hang up after acceptance for next 1");
/// # Ok::<(), intercom_sandbox::InvalidFault>(())
/// ```
///
/// | effect | what happens |
/// |---|---|
/// | `503` | any status from 200 to 599; with Intercom's error list from 400 on |
/// | `html 502` | the status with an HTML page |
/// | `hang` | no answer, ever |
/// | `hang up` | the connection closes |
/// | `reset` | a reset ends the connection |
/// | `delay 2s` | the answer comes 2 seconds later |
/// | `truncate` | half of the body arrives, then the connection ends |
/// | `without rate-limit headers`, `without request id`, `without content type` | headers are missing |
/// | `skew +30s`, `skew -5m` | `Date` and `X-RateLimit-Reset` are ahead, or behind |
/// | `outage` | every request gets 503 |
/// | `unreachable` | a reset ends the connection of every request |
/// | `revoke token` | every request gets 401 |
/// | `rate limit 5` | an app may send at most 5 requests in ten seconds |
///
/// | clause | requests |
/// |---|---|
/// | `for 20%` | 20 % of the requests, chosen by the [seed](crate::SandboxBuilder::seed) |
/// | `for next 3` | only the next 3 requests |
/// | `for 30s` | for 30 seconds of the sandbox's clock; the units are `ms`, `s`, `m` and `h` |
/// | `on events`, `on contacts`, `on everything` | the scope |
/// | `on event project_created` | events of this name; the name is the last word of the text |
/// | `after acceptance` | see [`after_acceptance`](Self::after_acceptance) |
#[derive(Debug, Clone)]
pub struct Fault {
    pub(super) effect: Effect,
    pub(super) next: Option<u64>,
    /// Between 0 and 100.
    pub(super) percent: Option<f64>,
    pub(super) lasting: Option<Duration>,
    pub(super) scope: Scope,
    pub(super) after_acceptance: bool,
}

/// The effect of a fault.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    Answer(Answer),
    Preset(Preset),
    Delay(Duration),
    Truncate,
    Without(Missing),
    /// Seconds; positive is ahead.
    Skew(i64),
    RateLimit(u32),
}

/// API-wide states, each an answer with its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preset {
    Outage,
    Unreachable,
    RevokedToken,
}

/// Headers that some real answers lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    RateLimit,
    RequestId,
    ContentType,
}

impl Fault {
    /// Replaces Intercom's answer; a number is the status of an [`Answer`].
    ///
    /// # Panics
    /// If a number is not a final status (200 to 599).
    pub fn answer(answer: impl Into<Answer>) -> Self {
        Self::of(Effect::Answer(answer.into()))
    }

    /// Delays the answer by this time, by tokio's clock. The sandbox reads the request after the
    /// delay, or before it with [`after_acceptance`](Self::after_acceptance).
    pub fn delay(delay: Duration) -> Self {
        Self::of(Effect::Delay(delay))
    }

    /// Sends half of the answer's body, then ends the connection. An answer without a body promises
    /// more in `Content-Length` than arrives.
    pub fn truncated_body() -> Self {
        Self::of(Effect::Truncate)
    }

    /// Removes the three `X-RateLimit-…` headers.
    pub fn without_rate_limit_headers() -> Self {
        Self::of(Effect::Without(Missing::RateLimit))
    }

    /// Removes `X-Request-Id`.
    pub fn without_request_id() -> Self {
        Self::of(Effect::Without(Missing::RequestId))
    }

    /// Removes `Content-Type`.
    pub fn without_content_type() -> Self {
        Self::of(Effect::Without(Missing::ContentType))
    }

    /// Moves the times in `Date` and `X-RateLimit-Reset` ahead by this many seconds, or behind if
    /// negative. By default it applies to every request to Intercom's API.
    pub fn clock_skew(seconds: i64) -> Self {
        Self::of(Effect::Skew(seconds))
    }

    /// Answers with 503, as if Intercom were down. By default it applies to every request to
    /// Intercom's API.
    pub fn outage() -> Self {
        Self::of(Effect::Preset(Preset::Outage))
    }

    /// Makes Intercom unreachable: resets each connection on which a request arrives. The sandbox
    /// does not refuse connections, so that the admin API can still remove the fault. By default it
    /// applies to every request to Intercom's API.
    pub fn unreachable() -> Self {
        Self::of(Effect::Preset(Preset::Unreachable))
    }

    /// Answers with 401, as if the access token were revoked. By default it applies to every
    /// request to Intercom's API.
    pub fn token_revoked() -> Self {
        Self::of(Effect::Preset(Preset::RevokedToken))
    }

    /// Limits each app to this many requests in a window of ten seconds, unless its own limit is
    /// lower. The sandbox refuses a request over the limit with the usual `429`, and records it as
    /// [refused](crate::Outcome::Refused).
    ///
    /// The fault applies to every request, and can have only a [time](Self::lasting). If it selects
    /// requests, [`Sandbox::inject`](crate::Sandbox::inject) panics.
    pub fn rate_limit(requests: u32) -> Self {
        Self::of(Effect::RateLimit(requests))
    }

    /// Ends the fault after it has matched this many requests. With [`percent`](Self::percent),
    /// requests to which it does not apply count too.
    #[must_use]
    pub fn next(mut self, requests: usize) -> Self {
        self.next = Some(requests as u64);
        self
    }

    /// Applies to this percentage of the matched requests. The choice depends only on the
    /// sandbox's [seed](crate::SandboxBuilder::seed), the number of faults injected before, and the
    /// number of matched requests.
    ///
    /// # Panics
    /// If the percentage is not between 0 and 100.
    #[must_use]
    pub fn percent(mut self, percent: f64) -> Self {
        assert!((0.0..=100.0).contains(&percent), "{percent}% is not between 0% and 100%");
        self.percent = Some(percent);
        self
    }

    /// Ends the fault after this time, by the sandbox's [clock](crate::SandboxBuilder::clock),
    /// counted from its injection.
    #[must_use]
    pub fn lasting(mut self, time: Duration) -> Self {
        self.lasting = Some(time);
        self
    }

    /// Applies to events that clients send: `POST /events`.
    #[must_use]
    pub fn on_events(mut self) -> Self {
        self.scope = Scope::Events;
        self
    }

    /// Applies to sent events of this name, ignoring case as Intercom does.
    #[must_use]
    pub fn on_event(mut self, name: &str) -> Self {
        self.scope = Scope::Event(fold(name));
        self
    }

    /// Applies to every request about contacts.
    #[must_use]
    pub fn on_contacts(mut self) -> Self {
        self.scope = Scope::Contacts;
        self
    }

    /// Applies to every request to Intercom's API. The page and the admin API are exempt.
    #[must_use]
    pub fn on_everything(mut self) -> Self {
        self.scope = Scope::Everything;
        self
    }

    /// Applies only to requests that Intercom accepts, after acceptance: the sandbox keeps the
    /// event, and the client sees the fault. A refused request gets its refusal. If another fault
    /// delays the request, this fault applies if it is active at the end of the delay.
    #[must_use]
    pub fn after_acceptance(mut self) -> Self {
        self.after_acceptance = true;
        self
    }

    pub(super) fn of(effect: Effect) -> Self {
        let scope = effect.default_scope();
        Self { effect, next: None, percent: None, lasting: None, scope, after_acceptance: false }
    }

    /// Writes the headers and body of the fault's answer.
    ///
    /// # Errors
    /// If the fault's answer has no headers or body, or if `write` fails.
    pub(crate) fn write_answer(
        self,
        write: impl FnOnce(Answer) -> Result<Answer, String>,
    ) -> Result<Self, String> {
        match self.effect {
            Effect::Answer(answer) if answer.has_status() => {
                Ok(Self { effect: Effect::Answer(write(answer)?), ..self })
            }
            _ => Err(format!("headers and body go with a status, not with `{}`", self.effect)),
        }
    }

    /// Returns the contradiction in the fault's options, if there is one.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        let plain = self.next.is_none()
            && self.percent.is_none()
            && self.scope == Scope::Everything
            && !self.after_acceptance;
        (matches!(self.effect, Effect::RateLimit(_)) && !plain).then_some(
            "a rate limit is for all requests: it can have `for 30s`, and no other clause",
        )
    }
}

impl Effect {
    /// Returns events for effects on one request, and everything for states of Intercom.
    pub(super) fn default_scope(&self) -> Scope {
        match self {
            Self::Answer(_) | Self::Delay(_) | Self::Truncate | Self::Without(_) => Scope::Events,
            Self::Preset(_) | Self::Skew(_) | Self::RateLimit(_) => Scope::Everything,
        }
    }

    /// Returns the answer that replaces Intercom's, if the fault has one.
    pub(super) fn answer(&self) -> Option<Answer> {
        match self {
            Self::Answer(answer) => Some(answer.clone()),
            Self::Preset(Preset::Outage) => Answer::usual(503),
            Self::Preset(Preset::RevokedToken) => Answer::usual(401),
            Self::Preset(Preset::Unreachable) => Some(Answer::reset()),
            _ => None,
        }
    }

    pub(super) fn replaces_answer(&self) -> bool {
        matches!(self, Self::Answer(_) | Self::Preset(_))
    }
}
