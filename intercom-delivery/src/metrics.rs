//! Metrics, behind the feature `metrics`. Without the feature, these functions do nothing.
//!
//! The crate's documentation lists them. Each metric exists from the start, with the labels of its
//! delivery. No label holds a contact or a value.

use std::time::Duration;

use crate::outbox::DeadLetterReason;
use crate::telemetry::Labels;

/// The reasons of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalReason {
    Full,
    Closed,
    Storage,
    InDoubt,
    Unsupported,
    Abandoned,
}

impl RefusalReason {
    #[cfg(feature = "metrics")]
    const ALL: [RefusalReason; 6] = [
        RefusalReason::Full,
        RefusalReason::Closed,
        RefusalReason::Storage,
        RefusalReason::InDoubt,
        RefusalReason::Unsupported,
        RefusalReason::Abandoned,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            RefusalReason::Full => "full",
            RefusalReason::Closed => "closed",
            RefusalReason::Storage => "storage",
            RefusalReason::InDoubt => "in_doubt",
            RefusalReason::Unsupported => "unsupported",
            RefusalReason::Abandoned => "abandoned",
        }
    }
}

/// The state of the circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BreakerState {
    Closed,
    HalfOpen,
    /// Open, until the outage has passed.
    Outage,
    /// Open, until an operator has acted.
    Stopped,
}

impl BreakerState {
    #[cfg(feature = "metrics")]
    const ALL: [BreakerState; 4] =
        [BreakerState::Closed, BreakerState::HalfOpen, BreakerState::Outage, BreakerState::Stopped];

    #[cfg(feature = "metrics")]
    const fn as_str(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::HalfOpen => "half_open",
            BreakerState::Outage => "outage",
            BreakerState::Stopped => "stopped",
        }
    }
}

/// The metrics of one delivery.
pub(crate) struct Metrics {
    #[cfg(feature = "metrics")]
    registered: registered::Registered,
}

impl Metrics {
    /// Registers all metrics with the present recorder.
    pub(crate) fn new(labels: &Labels, rules: &[&str]) -> Self {
        let _ = (labels, rules);
        Metrics {
            #[cfg(feature = "metrics")]
            registered: registered::Registered::new(labels, rules),
        }
    }

    pub(crate) fn accepted(&self, events: u64) {
        #[cfg(feature = "metrics")]
        self.registered.accepted(events);
        let _ = events;
    }

    pub(crate) fn refused(&self, reason: RefusalReason, events: u64) {
        #[cfg(feature = "metrics")]
        self.registered.refused(reason, events);
        let _ = (reason, events);
    }

    /// Records the end of an attempt, this long after the lease of its event.
    pub(crate) fn attempt(&self, outcome: &'static str, took: Duration, leased_for: Duration) {
        #[cfg(feature = "metrics")]
        self.registered.attempt(outcome, took, leased_for);
        let _ = (outcome, took, leased_for);
    }

    /// Records a delivered event, this long after its acceptance.
    pub(crate) fn delivered(&self, delay: Duration) {
        #[cfg(feature = "metrics")]
        self.registered.delivered(delay);
        let _ = delay;
    }

    pub(crate) fn dead(&self, reason: DeadLetterReason, events: u64) {
        #[cfg(feature = "metrics")]
        self.registered.dead(reason, events);
        let _ = (reason, events);
    }

    pub(crate) fn dropped(&self, rule: &str) {
        #[cfg(feature = "metrics")]
        self.registered.dropped(rule);
        let _ = rule;
    }

    /// Records withheld events, and events that rules derived.
    pub(crate) fn admitted(&self, withheld: u64, derived: u64) {
        #[cfg(feature = "metrics")]
        self.registered.admitted(withheld, derived);
        let _ = (withheld, derived);
    }

    pub(crate) fn panicked(&self) {
        #[cfg(feature = "metrics")]
        self.registered.panicked();
    }

    /// Counts leased events.
    pub(crate) fn leased(&self, events: u64) {
        #[cfg(feature = "metrics")]
        self.registered.leased(events);
        let _ = events;
    }

    pub(crate) fn set_pending(&self, events: u64) {
        #[cfg(feature = "metrics")]
        self.registered.set_pending(events);
        let _ = events;
    }

    /// Sets the age of the oldest pending event.
    pub(crate) fn set_oldest_pending(&self, age: Duration) {
        #[cfg(feature = "metrics")]
        self.registered.set_oldest_pending(age);
        let _ = age;
    }

    pub(crate) fn set_breaker(&self, state: BreakerState) {
        #[cfg(feature = "metrics")]
        self.registered.set_breaker(state);
        let _ = state;
    }

    /// Records that this process delivers from now on.
    pub(crate) fn took_over(&self) {
        #[cfg(feature = "metrics")]
        self.registered.took_over();
    }

    /// Records that this process no longer delivers. `fenced` says whether another process took the
    /// turn.
    pub(crate) fn left_turn(&self, fenced: bool) {
        #[cfg(feature = "metrics")]
        self.registered.left_turn(fenced);
        let _ = fenced;
    }
}

#[cfg(feature = "metrics")]
mod registered {
    use std::time::Duration;

    use metrics::{
        Counter, Gauge, Histogram, Label, SharedString, Unit, counter, gauge, histogram,
    };
    use metrics::{describe_counter, describe_gauge, describe_histogram};

    use super::{BreakerState, RefusalReason};
    use crate::outbox::DeadLetterReason;
    use crate::telemetry::{Labels, OUTCOMES};

    pub(super) struct Registered {
        labels: Vec<Label>,
        counters: Counters,
        gauges: Gauges,
        histograms: Histograms,
    }

    struct Counters {
        accepted: Counter,
        sent: Counter,
        refused: Vec<(Counter, Counter)>,
        consumed: Counter,
        attempts: Vec<Counter>,
        delivered: Counter,
        dead: Vec<Counter>,
        withheld: Counter,
        derived: Counter,
        panics: Counter,
        takeovers: Counter,
        fenced: Counter,
    }

    struct Gauges {
        pending: Gauge,
        oldest_pending: Gauge,
        is_deliverer: Gauge,
        breaker: Vec<Gauge>,
    }

    struct Histograms {
        attempt: Histogram,
        delay: Histogram,
        process: Vec<Histogram>,
    }

    impl Registered {
        pub(super) fn new(labels: &Labels, rules: &[&str]) -> Self {
            describe();
            let labels = labels.iter();
            let labels: Vec<_> =
                labels.map(|(name, value)| Label::new(name.clone(), value.clone())).collect();
            let with = |more: &[(&'static str, &'static str)]| {
                let more = more.iter().map(|(name, value)| Label::from_static_parts(name, value));
                labels.iter().cloned().chain(more).collect::<Vec<_>>()
            };
            let messaging = |operation, error: Option<&'static str>| {
                let mut labels = with(&[
                    ("messaging.system", "intercom"),
                    ("messaging.operation.name", operation),
                ]);
                labels.extend(error.map(|error| Label::from_static_parts("error.type", error)));
                labels
            };
            let counters = Counters {
                accepted: counter!(ACCEPTED, with(&[])),
                sent: counter!(SENT, messaging("send", None)),
                refused: RefusalReason::ALL
                    .iter()
                    .map(|reason| {
                        let reason = reason.as_str();
                        let refused = counter!(REFUSED, with(&[("reason", reason)]));
                        (refused, counter!(SENT, messaging("send", Some(reason))))
                    })
                    .collect(),
                consumed: counter!(CONSUMED, messaging("receive", None)),
                attempts: OUTCOMES
                    .iter()
                    .map(|outcome| counter!(ATTEMPTS, with(&[("outcome", outcome)])))
                    .collect(),
                delivered: counter!(DELIVERED, with(&[])),
                dead: DeadLetterReason::ALL
                    .iter()
                    .map(|reason| counter!(DEAD, with(&[("reason", reason.as_str())])))
                    .collect(),
                withheld: counter!(WITHHELD, with(&[])),
                derived: counter!(DERIVED, with(&[])),
                panics: counter!(PANICS, with(&[])),
                takeovers: counter!(TAKEOVERS, with(&[])),
                fenced: counter!(FENCED, with(&[])),
            };
            let gauges = Gauges {
                pending: gauge!(PENDING, with(&[])),
                oldest_pending: gauge!(OLDEST_PENDING, with(&[])),
                is_deliverer: gauge!(IS_DELIVERER, with(&[])),
                breaker: BreakerState::ALL
                    .iter()
                    .map(|state| gauge!(BREAKER, with(&[("state", state.as_str())])))
                    .collect(),
            };
            let histograms = Histograms {
                attempt: histogram!(ATTEMPT_SECONDS, with(&[])),
                delay: histogram!(DELAY_SECONDS, with(&[])),
                process: OUTCOMES
                    .iter()
                    .map(|outcome| {
                        let error = Some(*outcome).filter(|outcome| *outcome != "delivered");
                        histogram!(PROCESS_DURATION, messaging("process", error))
                    })
                    .collect(),
            };
            let registered = Registered { labels, counters, gauges, histograms };
            rules.iter().for_each(|rule| registered.rule(rule).increment(0));
            registered.set_breaker(BreakerState::Closed);
            registered
        }

        pub(super) fn accepted(&self, events: u64) {
            self.counters.accepted.increment(events);
            self.counters.sent.increment(events);
        }

        pub(super) fn refused(&self, reason: RefusalReason, events: u64) {
            let (refused, sent) = &self.counters.refused[reason as usize];
            refused.increment(events);
            sent.increment(events);
        }

        pub(super) fn attempt(&self, outcome: &str, took: Duration, leased_for: Duration) {
            let at = OUTCOMES.iter().position(|known| *known == outcome);
            let at = at.unwrap_or(OUTCOMES.len() - 1);
            self.counters.attempts[at].increment(1);
            self.histograms.process[at].record(leased_for);
            self.histograms.attempt.record(took);
        }

        pub(super) fn delivered(&self, delay: Duration) {
            self.counters.delivered.increment(1);
            self.histograms.delay.record(delay);
        }

        pub(super) fn dead(&self, reason: DeadLetterReason, events: u64) {
            self.counters.dead[reason as usize].increment(events);
        }

        pub(super) fn dropped(&self, rule: &str) {
            self.rule(rule).increment(1);
        }

        fn rule(&self, rule: &str) -> Counter {
            let rule = Label::new("rule", SharedString::from(rule.to_owned()));
            let labels: Vec<_> = self.labels.iter().cloned().chain([rule]).collect();
            counter!(DROPPED, labels)
        }

        pub(super) fn admitted(&self, withheld: u64, derived: u64) {
            self.counters.withheld.increment(withheld);
            self.counters.derived.increment(derived);
        }

        pub(super) fn panicked(&self) {
            self.counters.panics.increment(1);
        }

        pub(super) fn leased(&self, events: u64) {
            self.counters.consumed.increment(events);
        }

        pub(super) fn set_pending(&self, events: u64) {
            self.gauges.pending.set(events as f64);
            if events == 0 {
                self.gauges.oldest_pending.set(0.0);
            }
        }

        pub(super) fn set_oldest_pending(&self, age: Duration) {
            self.gauges.oldest_pending.set(age);
        }

        pub(super) fn set_breaker(&self, state: BreakerState) {
            for (one, gauge) in BreakerState::ALL.iter().zip(&self.gauges.breaker) {
                gauge.set(if *one == state { 1.0 } else { 0.0 });
            }
        }

        pub(super) fn took_over(&self) {
            self.gauges.is_deliverer.set(1.0);
            self.counters.takeovers.increment(1);
        }

        pub(super) fn left_turn(&self, fenced: bool) {
            self.gauges.is_deliverer.set(0.0);
            self.counters.fenced.increment(u64::from(fenced));
        }
    }

    const ACCEPTED: &str = "intercom_delivery_accepted_total";
    const REFUSED: &str = "intercom_delivery_refused_total";
    const DELIVERED: &str = "intercom_delivery_delivered_total";
    const DEAD: &str = "intercom_delivery_dead_total";
    const DROPPED: &str = "intercom_delivery_dropped_total";
    const ATTEMPTS: &str = "intercom_delivery_attempts_total";
    const WITHHELD: &str = "intercom_delivery_withheld_total";
    const DERIVED: &str = "intercom_delivery_derived_total";
    const PANICS: &str = "intercom_delivery_panics_total";
    const TAKEOVERS: &str = "intercom_delivery_takeovers_total";
    const FENCED: &str = "intercom_delivery_fenced_total";
    const PENDING: &str = "intercom_delivery_pending";
    const OLDEST_PENDING: &str = "intercom_delivery_oldest_pending_seconds";
    const IS_DELIVERER: &str = "intercom_delivery_is_deliverer";
    const BREAKER: &str = "intercom_delivery_breaker_state";
    const ATTEMPT_SECONDS: &str = "intercom_delivery_attempt_seconds";
    const DELAY_SECONDS: &str = "intercom_delivery_delay_seconds";
    // OpenTelemetry's.
    const SENT: &str = "messaging.client.sent.messages";
    const CONSUMED: &str = "messaging.client.consumed.messages";
    const PROCESS_DURATION: &str = "messaging.process.duration";

    fn describe() {
        describe_counter!(ACCEPTED, Unit::Count, "Events that this process accepted.");
        describe_counter!(REFUSED, Unit::Count, "Events that were refused, by reason.");
        describe_counter!(DELIVERED, Unit::Count, "Events that Intercom has taken.");
        describe_counter!(DEAD, Unit::Count, "Events that became dead letters, by reason.");
        describe_counter!(DROPPED, Unit::Count, "Events that a rule dropped, by rule.");
        describe_counter!(ATTEMPTS, Unit::Count, "Requests for events that ended, by outcome.");
        describe_counter!(WITHHELD, Unit::Count, "Events that were not sent for want of consent.");
        describe_counter!(DERIVED, Unit::Count, "Events that rules derived.");
        describe_counter!(PANICS, Unit::Count, "Panics of the transport or a hook.");
        describe_counter!(TAKEOVERS, Unit::Count, "How often this process began to deliver.");
        describe_counter!(FENCED, Unit::Count, "How often another process took the turn.");
        describe_gauge!(PENDING, Unit::Count, "Events that are not delivered yet.");
        describe_gauge!(OLDEST_PENDING, Unit::Seconds, "Age of the oldest pending event.");
        describe_gauge!(IS_DELIVERER, Unit::Count, "1 in the process that delivers, else 0.");
        describe_gauge!(BREAKER, Unit::Count, "1 for the state of the circuit breaker, else 0.");
        describe_histogram!(ATTEMPT_SECONDS, Unit::Seconds, "How long one request took.");
        describe_histogram!(DELAY_SECONDS, Unit::Seconds, "From acceptance to delivery.");
        describe_counter!(SENT, Unit::Count, "Events handed to the delivery.");
        describe_counter!(CONSUMED, Unit::Count, "Events that the outbox gave to the engine.");
        describe_histogram!(PROCESS_DURATION, Unit::Seconds, "From a lease to an attempt's end.");
    }
}
