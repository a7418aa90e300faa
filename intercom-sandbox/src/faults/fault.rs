//! A fault: what it does, to how many requests, to which, and when.

use std::time::Duration;

use super::scope::{Scope, fold};
use crate::answer::Answer;

/// Something that goes wrong on request: see [`Sandbox::inject`](crate::Sandbox::inject).
///
/// It is an effect, which the constructors name, and says of itself which requests it is for. Where
/// nothing else is said it strikes every event that is sent, until it is lifted, and before the
/// sandbox looks at the event.
///
/// ```
/// use std::time::Duration;
/// use intercom_sandbox::{Answer, Fault};
///
/// let flaky = Fault::answer(503).percent(20.0);
/// let slow = Fault::delay(Duration::from_secs(2)).percent(10.0).on_contacts();
/// let down = Fault::outage().lasting(Duration::from_secs(30));
/// // The event is taken, and the client is left in the dark about it.
/// let lost = Fault::answer(Answer::hang_up()).after_acceptance().next(1);
/// ```
///
/// # As text
///
/// A fault can be written, and is printed, as `EFFECT [CLAUSE …]`. The same text is understood by
/// the admin API, by the program's `--fault`, and by [`str::parse`].
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
/// | `hang up` | the connection is closed |
/// | `reset` | the connection is reset |
/// | `delay 2s` | the answer takes its time |
/// | `truncate` | half of the body comes, and the connection ends |
/// | `without rate-limit headers`, `without request id`, `without content type` | headers are missing |
/// | `skew +30s`, `skew -5m` | `Date` and `X-RateLimit-Reset` are ahead, or behind |
/// | `outage` | every request is answered with 503 |
/// | `unreachable` | the connection of every request is reset |
/// | `revoke token` | every request is answered with 401 |
/// | `rate limit 5` | a window has no more than so many requests |
///
/// | clause | |
/// |---|---|
/// | `for 20%` | so many of the requests, chosen by the [seed](crate::SandboxBuilder::seed) |
/// | `for next 3` | the next requests, and no more |
/// | `for 30s` | for so long by the sandbox's clock; `ms`, `s`, `m` and `h` are known |
/// | `on events`, `on contacts`, `on everything` | what is requested |
/// | `on event project_created` | events of this name; the name goes to the end of the text |
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

/// What a fault does.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    Answer(Answer),
    Preset(Preset),
    Delay(Duration),
    Truncate,
    Without(Missing),
    /// In seconds, ahead where it is positive.
    Skew(i64),
    RateLimit(u32),
}

/// States of the whole API that are answers under a name of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preset {
    Outage,
    Unreachable,
    RevokedToken,
}

/// Headers that real answers have been seen without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    RateLimit,
    RequestId,
    ContentType,
}

impl Fault {
    /// This answer in the place of Intercom's; a number stands for that status.
    ///
    /// # Panics
    /// If a number is not a status that can end a request: 200 to 599.
    pub fn answer(answer: impl Into<Answer>) -> Self {
        Self::of(Effect::Answer(answer.into()))
    }

    /// The answer takes so long, in tokio's time. The request is looked at after the wait, or before
    /// it with [`after_acceptance`](Self::after_acceptance).
    pub fn delay(delay: Duration) -> Self {
        Self::of(Effect::Delay(delay))
    }

    /// Half of the answer's body comes, and less than `Content-Length` says where there is none; then
    /// the connection ends.
    pub fn truncated_body() -> Self {
        Self::of(Effect::Truncate)
    }

    /// The answer has none of the three `X-RateLimit-…` headers.
    pub fn without_rate_limit_headers() -> Self {
        Self::of(Effect::Without(Missing::RateLimit))
    }

    /// The answer has no `X-Request-Id`.
    pub fn without_request_id() -> Self {
        Self::of(Effect::Without(Missing::RequestId))
    }

    /// The answer has no `Content-Type`.
    pub fn without_content_type() -> Self {
        Self::of(Effect::Without(Missing::ContentType))
    }

    /// Intercom's clock is so many seconds ahead, or behind where they are negative, in `Date` and
    /// `X-RateLimit-Reset`. For everything, where nothing else is said.
    pub fn clock_skew(seconds: i64) -> Self {
        Self::of(Effect::Skew(seconds))
    }

    /// Intercom is down: 503. For everything, where nothing else is said.
    pub fn outage() -> Self {
        Self::of(Effect::Preset(Preset::Outage))
    }

    /// Intercom cannot be reached: connections are reset when they bring a request. They are not
    /// refused, so that the admin API can be reached to lift the fault. For everything, where
    /// nothing else is said.
    pub fn unreachable() -> Self {
        Self::of(Effect::Preset(Preset::Unreachable))
    }

    /// The access token is not valid any more: 401. For everything, where nothing else is said.
    pub fn token_revoked() -> Self {
        Self::of(Effect::Preset(Preset::RevokedToken))
    }

    /// The app may send so many requests in a window, where its own limit is not lower. It is for
    /// everything, and can be nothing but [lasting](Self::lasting). A request beyond the limit is
    /// refused by Intercom's rule, and recorded so.
    pub fn rate_limit(requests: u32) -> Self {
        Self::of(Effect::RateLimit(requests))
    }

    /// For the next so many requests that it meets, and no longer. With
    /// [`percent`](Self::percent), those it spares count too.
    #[must_use]
    pub fn next(mut self, requests: usize) -> Self {
        self.next = Some(requests as u64);
        self
    }

    /// For so many of a hundred requests that it meets. Which of them depends on the sandbox's
    /// [seed](crate::SandboxBuilder::seed), on how many faults were injected before this one, and on
    /// how many requests it has met: on nothing else.
    ///
    /// # Panics
    /// If it is not between 0 and 100.
    #[must_use]
    pub fn percent(mut self, percent: f64) -> Self {
        assert!((0.0..=100.0).contains(&percent), "{percent}% is not between 0% and 100%");
        self.percent = Some(percent);
        self
    }

    /// For so long, by the sandbox's [clock](crate::SandboxBuilder::clock), from when it is injected.
    #[must_use]
    pub fn lasting(mut self, time: Duration) -> Self {
        self.lasting = Some(time);
        self
    }

    /// For events that are sent: `POST /events`.
    #[must_use]
    pub fn on_events(mut self) -> Self {
        self.scope = Scope::Events;
        self
    }

    /// For events of this name that are sent. Upper and lower case are the same, as at Intercom.
    #[must_use]
    pub fn on_event(mut self, name: &str) -> Self {
        self.scope = Scope::Event(fold(name));
        self
    }

    /// For all that is done with contacts.
    #[must_use]
    pub fn on_contacts(mut self) -> Self {
        self.scope = Scope::Contacts;
        self
    }

    /// For every request to Intercom's API. The page and the admin API are no part of it.
    #[must_use]
    pub fn on_everything(mut self) -> Self {
        self.scope = Scope::Everything;
        self
    }

    /// Only for what Intercom accepts, and after it has: the event is there, and what the client
    /// learns of it is the fault. A request that is refused gets its refusal. One that was delayed before
    /// meets what stands after the delay.
    #[must_use]
    pub fn after_acceptance(mut self) -> Self {
        self.after_acceptance = true;
        self
    }

    pub(super) fn of(effect: Effect) -> Self {
        let scope = effect.default_scope();
        Self { effect, next: None, percent: None, lasting: None, scope, after_acceptance: false }
    }

    /// Writes headers and body of the answer that it gives.
    ///
    /// # Errors
    /// When the fault gives no answer with headers or a body, and when `write` fails.
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

    /// What about it makes no sense.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        let plain = self.next.is_none()
            && self.percent.is_none()
            && self.scope == Scope::Everything
            && !self.after_acceptance;
        (matches!(self.effect, Effect::RateLimit(_)) && !plain).then_some(
            "a rate limit is for everything, for a time or until it is lifted, and for no selected \
             requests",
        )
    }
}

impl Effect {
    /// What concerns one request is for events; what is a state of Intercom's is for everything.
    pub(super) fn default_scope(&self) -> Scope {
        match self {
            Self::Answer(_) | Self::Delay(_) | Self::Truncate | Self::Without(_) => Scope::Events,
            Self::Preset(_) | Self::Skew(_) | Self::RateLimit(_) => Scope::Everything,
        }
    }

    /// The answer it gives, where it is one that takes the place of Intercom's.
    pub(super) fn answer(&self) -> Option<Answer> {
        match self {
            Self::Answer(answer) => Some(answer.clone()),
            Self::Preset(Preset::Outage) => Answer::usual(503),
            Self::Preset(Preset::RevokedToken) => Answer::usual(401),
            Self::Preset(Preset::Unreachable) => Some(Answer::reset()),
            _ => None,
        }
    }

    pub(super) fn takes_the_place_of_the_answer(&self) -> bool {
        matches!(self, Self::Answer(_) | Self::Preset(_))
    }
}
