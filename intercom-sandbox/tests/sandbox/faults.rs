//! Faults on request: to which requests they apply, and what the sandbox records.

use std::time::Duration;

use intercom_sandbox::{Answer, Fault, ManualClock, Outcome, Sandbox};
use reqwest::Method;
use serde_json::json;

use crate::support::{event, finish, friendly, post_contact, post_event, post_text, request};

/// Sends this many events one after another, and returns their statuses.
pub(crate) async fn statuses(sandbox: &Sandbox, events: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for number in 0..events {
        statuses.push(post_event(sandbox, &event(&format!("event-{number}"))).await.status);
    }
    statuses
}

/// Returns outcome, status and fault of the last recorded request.
pub(crate) fn last(sandbox: &Sandbox) -> (Outcome, Option<u16>, Option<String>) {
    let requests = sandbox.requests();
    let request = requests.last().expect("there was a request");
    (request.outcome(), request.status(), request.fault().map(str::to_owned))
}

#[tokio::test]
async fn the_next_requests_fail_and_no_more() {
    let sandbox = friendly().await;
    sandbox.fail_next(2, 503);
    assert_eq!(sandbox.pending_answers(), 2);
    let answered = post_event(&sandbox, &event("a")).await;
    assert_eq!(answered.status, 503);
    assert_eq!(answered.errors(), ["service_unavailable"]);
    assert_eq!(last(&sandbox), (Outcome::Faulted, Some(503), Some("503".to_owned())));
    assert_eq!(sandbox.faults()[0].left(), Some(1));
    assert_eq!(statuses(&sandbox, 2).await, [503, 202]);
    assert!(sandbox.faults().is_empty());
    assert_eq!(sandbox.event_count(), 1);
}

#[tokio::test]
async fn a_percentage_is_the_same_with_the_same_seed_and_another_with_another() {
    let run = async |seed| {
        let sandbox = Sandbox::builder().know_everybody(true).seed(seed).start().await.unwrap();
        assert_eq!(sandbox.seed(), seed);
        sandbox.inject(Fault::answer(503).percent(50.0));
        let statuses = statuses(&sandbox, 64).await;
        let [fault] = &sandbox.faults()[..] else { panic!("the fault is active") };
        let failed = statuses.iter().filter(|&&status| status == 503).count();
        assert_eq!((fault.matched(), fault.applied()), (64, failed as u64));
        statuses
    };
    let (first, again, other) = (run(7).await, run(7).await, run(8).await);
    assert_eq!(first, again);
    assert_ne!(first, other);
    // A share below a quarter or above three quarters has a probability of one in 30,000, and the
    // seeds are fixed.
    let failed = first.iter().filter(|&&status| status == 503).count();
    assert!((17..48).contains(&failed), "{failed}");
}

#[tokio::test]
async fn a_percentage_depends_on_its_own_requests_alone() {
    let run = async |others: usize| {
        let sandbox = Sandbox::builder().know_everybody(true).seed(7).start().await.unwrap();
        let other = sandbox.inject(Fault::answer(500).next(others));
        sandbox.inject(Fault::answer(503).percent(50.0));
        for _ in 0..others {
            assert_eq!(statuses(&sandbox, 1).await, [500]);
        }
        sandbox.remove_fault(other);
        statuses(&sandbox, 32).await
    };
    assert_eq!(run(0).await, run(3).await);
}

#[tokio::test]
async fn zero_percent_is_never_and_a_hundred_is_always() {
    let sandbox = friendly().await;
    let never = sandbox.inject(Fault::answer(503).percent(0.0));
    assert_eq!(statuses(&sandbox, 8).await, [202; 8]);
    sandbox.remove_fault(never);
    sandbox.inject(Fault::answer(503).percent(100.0));
    assert_eq!(statuses(&sandbox, 8).await, [503; 8]);
}

#[tokio::test]
async fn a_percentage_of_the_next_requests_leaves_the_others_alone() {
    let sandbox = Sandbox::builder().know_everybody(true).seed(1).start().await.unwrap();
    sandbox.inject(Fault::answer(503).percent(50.0).next(10));
    let statuses = statuses(&sandbox, 20).await;
    let failed = statuses[..10].iter().filter(|&&status| status == 503).count();
    assert!((1..10).contains(&failed), "{statuses:?}");
    assert_eq!(statuses[10..], [202; 10]);
}

#[tokio::test]
async fn a_fault_for_a_time_ends_by_the_sandboxs_clock() {
    let clock = ManualClock::at_unix_seconds(1_700_000_000);
    let sandbox =
        Sandbox::builder().know_everybody(true).clock(clock.clone()).start().await.unwrap();
    sandbox.inject(Fault::outage().lasting(Duration::from_secs(30)));
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 503);
    clock.advance(Duration::from_secs(29));
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 503);
    assert_eq!(sandbox.faults().len(), 1);
    clock.advance(Duration::from_secs(1));
    assert!(sandbox.faults().is_empty());
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 202);
}

#[tokio::test]
async fn faults_are_removed_one_by_one_and_all_at_once() {
    let sandbox = friendly().await;
    let first = sandbox.inject(Fault::answer(500));
    sandbox.inject(Fault::answer(503));
    assert_eq!(statuses(&sandbox, 1).await, [500], "the first injected fault");
    assert!(sandbox.remove_fault(first));
    assert!(!sandbox.remove_fault(first), "the fault is not active");
    assert_eq!(statuses(&sandbox, 1).await, [503]);
    sandbox.fail_next(2, 400);
    sandbox.remove_faults();
    assert_eq!(sandbox.pending_answers(), 0);
    assert_eq!(statuses(&sandbox, 1).await, [202]);
}

#[tokio::test]
async fn clearing_removes_scripted_answers_and_keeps_other_faults() {
    let sandbox = friendly().await;
    sandbox.inject(Fault::answer(503).percent(100.0));
    sandbox.inject(Fault::delay(Duration::from_millis(1)).next(5));
    sandbox.fail_next(3, 500);
    sandbox.clear();
    let active: Vec<_> = sandbox.faults().iter().map(|fault| fault.fault().to_string()).collect();
    assert_eq!(active, ["503 for 100%", "delay 1ms for next 5"]);
}

#[tokio::test]
async fn a_fault_applies_only_in_its_scope() {
    let sandbox = friendly().await;
    let get_me = || finish(request(&sandbox, Method::GET, "/me"));
    let contact = async |id: &str| {
        post_contact(&sandbox, &json!({"role": "user", "external_id": id})).await.status
    };

    let fault = sandbox.inject(Fault::answer(503).on_contacts());
    assert_eq!((contact("1").await, get_me().await.status), (503, 200));
    assert_eq!(statuses(&sandbox, 1).await, [202]);
    let search = request(&sandbox, Method::POST, "/contacts/search").body("{}");
    assert_eq!(finish(search).await.status, 503);
    sandbox.remove_fault(fault);

    let fault = sandbox.inject(Fault::answer(503).on_everything());
    assert_eq!((contact("2").await, get_me().await.status), (503, 503));
    assert_eq!(finish(request(&sandbox, Method::GET, "/nowhere")).await.status, 503);
    sandbox.remove_fault(fault);

    // By default a fault that is not a state of the whole API applies only to sent events.
    let fault = sandbox.inject(Fault::answer(503));
    assert_eq!((contact("3").await, get_me().await.status), (200, 200));
    assert_eq!(finish(request(&sandbox, Method::GET, "/events")).await.status, 400);
    assert_eq!(statuses(&sandbox, 1).await, [503]);
    sandbox.remove_fault(fault);

    sandbox.inject(Fault::answer(503).on_event("Plan.Changed"));
    assert_eq!(post_event(&sandbox, &event("other")).await.status, 202);
    assert_eq!(post_event(&sandbox, &event("plan-changed")).await.status, 503);
    assert_eq!(post_event(&sandbox, &event("PLAN.CHANGED")).await.status, 503);
    assert_eq!(post_text(&sandbox, "plan-changed").await.status, 400);
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_event_was_accepted() {
    let sandbox = friendly().await;
    sandbox.inject(Fault::answer(503).after_acceptance().next(1));

    let mut nobody = event("a");
    nobody.as_object_mut().unwrap().remove("user_id");
    assert_eq!(post_event(&sandbox, &nobody).await.status, 400, "a refusal is no acceptance");
    assert_eq!(sandbox.faults()[0].matched(), 0);

    assert_eq!(post_event(&sandbox, &event("a")).await.status, 503);
    let named = Some("503 after acceptance".to_owned());
    assert_eq!(last(&sandbox), (Outcome::Accepted, Some(503), named));
    assert_eq!(sandbox.events().len(), 1);

    // A client that believes the answer sends the event again, and Intercom ignores the duplicate.
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 202);
    assert_eq!((sandbox.event_count(), last(&sandbox).0), (1, Outcome::Duplicate));
}

#[tokio::test]
async fn a_connection_can_break_after_the_event_was_accepted() {
    let sandbox = friendly().await;
    sandbox.inject(Fault::answer(Answer::hang_up()).after_acceptance().next(1));
    let request = request(&sandbox, Method::POST, "/events").body(event("a").to_string());
    request.send().await.expect_err("there is no answer");
    let named = Some("hang up after acceptance".to_owned());
    assert_eq!(last(&sandbox), (Outcome::Accepted, None, named));
}

#[tokio::test]
#[should_panic(
    expected = "`rate limit 2 for next 1` makes no sense: a rate limit is for all requests"
)]
async fn a_fault_that_contradicts_itself_panics() {
    friendly().await.inject(Fault::rate_limit(2).next(1));
}
