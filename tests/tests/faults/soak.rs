//! All kinds of faults at once.

use std::env;

use intercom_delivery::{DeliveryBuilder, UnknownContact};
use intercom_sandbox::Sandbox;
use tokio::time::timeout;

use crate::proxy::some;
use crate::rig::{HANGS, Rig, SHORT, everybody};

const EVENTS: u64 = 3_000;

/// Returns a random seed, unless `FAULTS_SEED` is set.
#[allow(clippy::print_stderr, reason = "the output explains a failure")]
fn seed() -> u64 {
    let seed = env::var("FAULTS_SEED").map_or_else(|_| fastrand::u64(..), |s| s.parse().unwrap());
    eprintln!("to repeat it: FAULTS_SEED={seed}");
    seed
}

/// Delivers thousands of events, with an outage in the middle.
async fn soak() {
    let script = some(20, seed());
    let mut rig =
        Rig::start_with(everybody(), SHORT, script, |delivery| delivery.concurrency(32)).await;
    rig.send(0..EVENTS).await;

    // Requests are in flight when the proxy goes down, and responses get lost.
    timeout(HANGS, rig.sandbox.wait_for(EVENTS as usize / 2)).await.unwrap();
    rig.proxy.close().await;
    // Ten failures in a row open the circuit breaker. Further ones would come with its back-off.
    rig.attempts.wait_for_failures(rig.attempts.failures() + 10).await;
    rig.proxy.open();

    let outcome = rig.finish(EVENTS).await;
    assert!(outcome.faults > EVENTS as usize / 10, "{} faults", outcome.faults);
    assert!(outcome.repetitions > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thousands_of_events_survive_all_faults_on_many_threads() {
    soak().await;
}

#[tokio::test(flavor = "current_thread")]
async fn thousands_of_events_survive_all_faults_on_one_thread() {
    soak().await;
}

#[tokio::test]
async fn contacts_are_created_once_even_if_responses_are_lost() {
    let (sandbox, script) = (Sandbox::builder(), some(30, seed()));
    let create =
        |delivery: DeliveryBuilder| delivery.concurrency(8).unknown_contact(UnknownContact::Create);
    let rig = Rig::start_with(sandbox, SHORT, script, create).await;
    rig.send(0..300).await;
    assert_eq!(rig.finish(300).await.contacts, 100);
}
