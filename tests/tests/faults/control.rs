//! Tests of the checks themselves: they must find faulty senders.

use intercom_core::{SendError, Timestamp, Tracker};
use intercom_sandbox::Sandbox;

use crate::proxy::{Fault, Proxy, every_other};
use crate::rig::{LONG, contact, event, everybody, network};
use crate::verdict::Evidence;

fn complaints(sent: u64, sandbox: &Sandbox, proxy: &Proxy) -> Vec<String> {
    let (arrived, unanswered) = (sandbox.events(), proxy.unanswered());
    Evidence { sent, arrived, unanswered, impatience: 0 }.complaints()
}

async fn send(tracker: &Tracker, number: u64, second: i64) -> Result<(), SendError> {
    let time = Timestamp::from_unix_seconds(1_700_000_000 + second);
    tracker.for_contact(contact(number)).send_at(&event(number), time).await.map(drop)
}

#[tokio::test]
async fn a_sender_without_retries_loses_events() {
    let (sandbox, proxy, transport) = network(everybody(), LONG, every_other(Fault::Reset)).await;
    let tracker = Tracker::new(transport);
    for number in 0..20 {
        assert_eq!(send(&tracker, number, 0).await.is_ok(), number % 2 == 1);
    }
    let lost: Vec<_> =
        (0..20).step_by(2).map(|number| format!("event {number} never arrived")).collect();
    assert_eq!(complaints(20, &sandbox, &proxy), lost);
}

#[tokio::test]
async fn a_sender_that_renews_the_time_sends_two_events() {
    let (sandbox, proxy, transport) =
        network(everybody(), LONG, every_other(Fault::CutAnswer)).await;
    let tracker = Tracker::new(transport);
    for number in 0..20 {
        send(&tracker, number, 0).await.unwrap_err();
        send(&tracker, number, 1).await.unwrap();
    }
    let complaints = complaints(20, &sandbox, &proxy);
    assert_eq!(complaints.len(), 20, "{complaints:#?}");
    assert!(complaints.iter().all(|complaint| complaint.contains("arrived as different events")));
}

#[tokio::test]
async fn the_verdict_finds_a_sender_that_repeats_itself() {
    let (sandbox, proxy, transport) = network(everybody(), LONG, || None).await;
    let tracker = Tracker::new(transport);
    for number in [0, 0, 1, 1, 2, 2, 3] {
        send(&tracker, number, 0).await.unwrap();
    }
    let twice: Vec<_> =
        (0..3).map(|number| format!("event {number} came 2 times, for 0 lost responses")).collect();
    assert_eq!(complaints(4, &sandbox, &proxy), twice);
}

#[tokio::test]
async fn two_events_of_one_second_count_as_one() {
    let (sandbox, proxy, transport) = network(everybody(), LONG, || None).await;
    let tracker = Tracker::new(transport);
    for number in [0, 1, 100] {
        send(&tracker, number, number as i64 % 100).await.unwrap();
    }
    let complaints = complaints(2, &sandbox, &proxy);
    assert_eq!(complaints, ["Intercom takes events 0 and 100 for one"]);
}
