//! Each kind of fault alone, at every second request.

use std::time::Duration;

use intercom_core::ErrorKind;
use intercom_delivery::{DeliveryBuilder, State};

use crate::proxy::{Fault, every_other};
use crate::rig::{HANGS, LONG, Outcome, Rig, SHORT, everybody, until};

const EVENTS: u64 = 40;

/// Delivers events through this fault, and returns the outcome.
async fn survive(fault: Fault, within: Duration) -> Outcome {
    let rig = Rig::start(within, every_other(fault)).await;
    rig.send(0..EVENTS).await;
    let outcome = rig.finish(EVENTS).await;
    assert!(outcome.faults >= EVENTS as usize / 2, "{} faults", outcome.faults);
    outcome
}

/// As `survive`, for faults that the client always sees as failures.
async fn survive_failures(fault: Fault, kind: ErrorKind) -> Outcome {
    let outcome = survive(fault, SHORT).await;
    let failures = outcome.attempts.failures_of(kind);
    // On a busy machine any failure can become a time-out.
    let timeouts = outcome.attempts.failures_of(ErrorKind::Timeout);
    assert!(failures > 0, "no failure is {kind:?}");
    assert!(failures + timeouts >= outcome.faults, "{failures} of {} faults", outcome.faults);
    outcome
}

#[tokio::test]
async fn a_reset_before_the_request_loses_no_event() {
    survive_failures(Fault::Reset, ErrorKind::Connection).await;
}

#[tokio::test]
async fn a_reset_within_the_request_loses_no_event() {
    survive_failures(Fault::ResetInBody, ErrorKind::Connection).await;
}

#[tokio::test]
async fn a_half_closed_connection_loses_no_event() {
    survive_failures(Fault::Swallow, ErrorKind::Timeout).await;
}

#[tokio::test]
async fn a_black_hole_loses_no_event() {
    survive_failures(Fault::BlackHole, ErrorKind::Timeout).await;
}

#[tokio::test]
async fn a_timeout_ends_the_wait_for_a_black_hole() {
    // The attempt's own limit ends the request, so the transport does not see how.
    let script = every_other(Fault::BlackHole);
    let set_up = |delivery: DeliveryBuilder| delivery.concurrency(8).attempt_timeout(SHORT);
    let rig = Rig::start_with(everybody(), LONG, script, set_up).await;
    rig.send(0..EVENTS).await;
    let outcome = rig.finish(EVENTS).await;
    assert_eq!(outcome.attempts.failures(), 0);
    assert!(outcome.faults >= EVENTS as usize / 2, "{} faults", outcome.faults);
}

#[tokio::test]
async fn an_error_page_of_a_proxy_loses_no_event() {
    survive_failures(Fault::BadGateway, ErrorKind::Unavailable).await;
}

#[tokio::test]
async fn an_answer_that_comes_byte_by_byte_is_an_answer() {
    let outcome = survive(Fault::SlowAnswer, LONG).await;
    assert_eq!((outcome.attempts.failures(), outcome.repetitions), (0, 0));
}

#[tokio::test]
async fn an_endless_answer_loses_no_event() {
    let outcome = survive_failures(Fault::EndlessAnswer, ErrorKind::Timeout).await;
    assert!(outcome.repetitions > 0);
}

#[tokio::test]
async fn a_truncated_answer_loses_no_event() {
    let outcome = survive_failures(Fault::CutAnswer, ErrorKind::Connection).await;
    assert!(outcome.repetitions > 0);
}

#[tokio::test]
async fn a_reset_instead_of_an_answer_loses_no_event() {
    let outcome = survive_failures(Fault::ResetAnswer, ErrorKind::Connection).await;
    assert!(outcome.repetitions > 0);
}

#[tokio::test]
async fn garbage_instead_of_an_answer_loses_no_event() {
    let outcome = survive_failures(Fault::Garbage, ErrorKind::Connection).await;
    assert!(outcome.repetitions > 0);
}

#[tokio::test]
async fn a_timeout_page_of_a_proxy_loses_no_event() {
    let outcome = survive_failures(Fault::GatewayTimeout, ErrorKind::Unavailable).await;
    assert!(outcome.repetitions > 0);
}

#[tokio::test]
async fn refused_connections_lose_no_event() {
    let mut rig = Rig::start(LONG, || None).await;
    rig.send(0..10).await;
    assert!(rig.delivery.flush(HANGS).await.is_complete());

    rig.proxy.close().await;
    rig.send(10..30).await;
    // Ten failures in a row open the circuit breaker.
    rig.attempts.wait_for_failures(10).await;
    until(|| matches!(rig.delivery.status().state, State::Outage(_))).await;

    rig.proxy.open();
    assert!(rig.delivery.flush(HANGS).await.is_complete());
    assert!(matches!(rig.delivery.status().state, State::Delivering));

    let outcome = rig.finish(30).await;
    assert_eq!(outcome.attempts.failures(), outcome.attempts.failures_of(ErrorKind::Connection));
    assert_eq!(outcome.repetitions, 0);
}
