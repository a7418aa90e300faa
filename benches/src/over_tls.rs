//! Compares a sender of events with the bare loop, over TLS.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::time::Duration;

use bytes::Bytes;
use intercom_http::reqwest::Client;
use tokio::runtime::Runtime;

use crate::bare::{Bare, Http, client, send_side_by_side, send_steadily};
use crate::report::{Bound, Report, microseconds, table};
use crate::rounds::{Cost, Cpu, Rounds, in_turn};
use crate::server::Server;

/// The requests in flight at full speed.
pub const IN_FLIGHT: usize = 32;

/// The time from one event to the next at the steady pace: 600 events a second.
const PERIOD: Duration = Duration::from_nanos(1_000_000_000 / 600);

/// The pace of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At full speed, with 32 in flight.
    Fast,
    /// One each period.
    Each(Duration),
}

/// At full speed: the server's response time, the events a round, and the rounds.
const LOADS: [(Duration, usize, usize); 2] =
    [(Duration::ZERO, 1_000, 60), (Duration::from_millis(50), IN_FLIGHT * 20, 7)];

/// At the steady pace: the events a round, and the rounds.
const STEADY: (usize, usize) = (600, 7);

/// Sends `events` events, with a future for each.
pub fn send_at_pace<F>(
    runtime: &Runtime,
    pace: Pace,
    events: usize,
    send: impl Fn() -> F + Clone + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    match pace {
        Pace::Fast => send_side_by_side(runtime, IN_FLIGHT, events, send),
        Pace::Each(period) => send_steadily(runtime, period, events, send),
    }
}

/// Compares a subject with the bare loop: on HTTP/1.1 and HTTP/2, to a server that answers at once
/// and to one that answers after 50 ms, at full speed and at 600 events a second.
///
/// `subject` makes a sender from this client, which has the settings of the bare loop's. Targets:
/// at least 0.9 of the bare loop's events a second, and at most 1.15 of its CPU time.
pub fn compare_over_tls<Send: Fn(Pace, usize)>(
    report: &mut Report,
    runtime: &Runtime,
    name: &str,
    body: &Bytes,
    subject: impl Fn(&Server, Client) -> Send,
) {
    for http in [Http::One, Http::Two] {
        let version = if http == Http::One { "HTTP/1.1" } else { "HTTP/2" };
        for (answers_after, events, rounds) in LOADS {
            let server = Server::start_tls(answers_after).expect("the server starts");
            let bare = Bare::new(&server, http, body.clone());
            let by_bare = |pace, events| {
                let bare = bare.clone();
                send_at_pace(runtime, pace, events, move || bare.clone().send());
            };
            let by_subject = subject(&server, client(&server, http));
            let measure = |rounds, events, pace| {
                in_turn(
                    rounds,
                    [&mut || Cost::of(Cpu::Process, || by_bare(pace, events)), &mut || {
                        Cost::of(Cpu::Process, || by_subject(pace, events))
                    }],
                )
            };
            let fast = measure(rounds, events, Pace::Fast);
            let (steady_events, steady_rounds) = STEADY;
            let steady = measure(steady_rounds, steady_events, Pace::Each(PERIOD));

            let milliseconds = answers_after.as_millis();
            println!(
                "{version} over TLS, a server that answers after {milliseconds} ms; {rounds} \
                 rounds of {events} events, {IN_FLIGHT} in flight; {steady_rounds} of \
                 {steady_events} at 600 a second"
            );
            let row = |name: &str, fast: &Rounds, steady: &Rounds| {
                [
                    name.to_owned(),
                    format!("{:.0}", events as f64 / fast.median(wall)),
                    microseconds(fast.median(cpu) / events as f64),
                    microseconds(steady.median(cpu) / steady_events as f64),
                ]
            };
            table(
                ["", "events a second", "CPU an event", "CPU an event, steady"],
                &[row("bare reqwest", &fast[0], &steady[0]), row(name, &fast[1], &steady[1])],
            );
            let throughput = fast[0].ratio(&fast[1], wall);
            report.target("events a second", throughput, Bound::AtLeast(0.9));
            report.target("CPU time", fast[1].ratio(&fast[0], cpu), Bound::AtMost(1.15));
            let steady = steady[1].ratio(&steady[0], cpu);
            report.target("CPU time at 600 events a second", steady, Bound::AtMost(1.15));
            println!();
        }
    }
}

fn wall(cost: &Cost) -> f64 {
    cost.wall
}

fn cpu(cost: &Cost) -> f64 {
    cost.cpu
}
