//! Two events with the same contact, name and second.

use intercom_sandbox::{Outcome, Retention, Sandbox, SandboxBuilder, SeedContact};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{event, finish, friendly, post_event, request};

/// Returns an event of user 42 with this name and second.
fn at(name: &str, created_at: i64) -> Value {
    json!({"event_name": name, "created_at": created_at, "user_id": "42"})
}

async fn start(builder: SandboxBuilder) -> Sandbox {
    builder.start().await.expect("a free port")
}

#[tokio::test]
async fn a_duplicate_is_answered_as_usual_and_ignored() {
    let sandbox = friendly().await;
    let first = post_event(&sandbox, &at("project_created", 7)).await;
    let mut again = at("project_created", 7);
    again["metadata"] = json!({"attempt": 2});
    let second = post_event(&sandbox, &again).await;
    assert_eq!((first.status, second.status, second.text.as_str()), (202, 202, ""));

    assert_eq!(sandbox.events().len(), 1);
    assert_eq!(sandbox.event_count(), 1);
    let outcomes: Vec<_> = sandbox.requests().iter().map(|request| request.outcome()).collect();
    assert_eq!(outcomes, [Outcome::Accepted, Outcome::Duplicate]);

    let swallowed = sandbox.duplicates();
    assert_eq!(sandbox.duplicate_count(), 1);
    assert_eq!(swallowed.len(), 1);
    assert_eq!(swallowed[0].metadata_value("attempt"), Some(&json!(2)));
    assert_eq!(swallowed[0].request().number(), 2);
}

#[tokio::test]
async fn name_second_and_contact_must_all_be_the_same() {
    let sandbox = friendly().await;
    let mut other = at("project_created", 7);
    other["user_id"] = json!("43");
    for body in
        [at("project_created", 7), at("project_created", 8), at("project_archived", 7), other]
    {
        post_event(&sandbox, &body).await;
    }
    assert_eq!((sandbox.event_count(), sandbox.duplicate_count()), (4, 0));
}

#[tokio::test]
async fn a_name_is_the_same_in_any_case_and_with_dots() {
    let sandbox = friendly().await;
    for name in ["plan-updated", "Plan-Updated", "plan.updated", "PLAN$UPDATED"] {
        assert_eq!(post_event(&sandbox, &at(name, 7)).await.status, 202, "{name}");
    }
    assert_eq!((sandbox.event_count(), sandbox.duplicate_count()), (1, 3));
}

#[tokio::test]
async fn a_contact_is_the_same_by_any_of_its_identifiers() {
    let ada = SeedContact::user_id("42").with_email("ada@example.com").with_contact_id("c1");
    let sandbox = start(Sandbox::builder().contact(ada)).await;
    for (member, value) in [("user_id", "42"), ("email", "ada@example.com"), ("id", "c1")] {
        let body = json!({"event_name": "a", "created_at": 7, member: value});
        assert_eq!(post_event(&sandbox, &body).await.status, 202, "{member}");
    }
    assert_eq!((sandbox.event_count(), sandbox.duplicate_count()), (1, 2));
}

#[tokio::test]
async fn a_refused_event_is_not_remembered() {
    let sandbox = start(Sandbox::builder()).await;
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 404);
    sandbox.add_contact(SeedContact::user_id("42"));
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 202);
    assert_eq!((sandbox.event_count(), sandbox.duplicate_count()), (1, 0));
}

#[tokio::test]
async fn a_duplicate_spends_the_rate_limit() {
    let sandbox = start(Sandbox::builder().know_everybody(true).rate_limit(5)).await;
    post_event(&sandbox, &event("a")).await;
    let second = post_event(&sandbox, &event("a")).await;
    assert_eq!(second.header("x-ratelimit-remaining"), Some("3"));
}

#[tokio::test]
async fn waiting_for_events_does_not_count_duplicates() {
    let sandbox = friendly().await;
    let send_all = async {
        for second in [1, 1, 2, 1, 3] {
            post_event(&sandbox, &at("a", second)).await;
        }
    };
    let (events, ()) = tokio::join!(sandbox.wait_for(3), send_all);
    let seconds: Vec<_> = events.iter().map(|event| event.created_at()).collect();
    assert_eq!(seconds, [1, 2, 3]);
}

#[tokio::test]
async fn clearing_forgets_earlier_events() {
    let sandbox = friendly().await;
    post_event(&sandbox, &event("a")).await;
    post_event(&sandbox, &event("a")).await;
    sandbox.clear();
    assert!(sandbox.duplicates().is_empty());
    assert_eq!(sandbox.duplicate_count(), 0);
    post_event(&sandbox, &event("a")).await;
    assert_eq!((sandbox.event_count(), sandbox.duplicate_count()), (1, 0));
}

#[tokio::test]
async fn deduplication_can_be_turned_off() {
    let sandbox = start(Sandbox::builder().know_everybody(true).deduplicate(false)).await;
    for _ in 0..3 {
        post_event(&sandbox, &event("a")).await;
    }
    assert_eq!((sandbox.event_count(), sandbox.duplicate_count()), (3, 0));
    assert!(sandbox.requests().iter().all(|request| request.outcome() == Outcome::Accepted));
}

#[tokio::test]
async fn the_memory_is_bounded_and_has_the_promised_size() {
    let sandbox = start(
        Sandbox::builder()
            .know_everybody(true)
            .retention(Retention::default().deduplicate_among(3)),
    )
    .await;
    for second in 1..=20 {
        post_event(&sandbox, &at("a", second)).await;
    }
    // The memory has the last three for certain, and has forgotten the first ones.
    for second in [18, 19, 20] {
        post_event(&sandbox, &at("a", second)).await;
    }
    assert_eq!((sandbox.event_count(), sandbox.duplicate_count()), (20, 3));
    post_event(&sandbox, &at("a", 1)).await;
    assert_eq!((sandbox.event_count(), sandbox.duplicate_count()), (21, 3));
}

#[tokio::test]
async fn the_memory_covers_all_kept_events() {
    let among = async |events, bytes| {
        let sandbox = start(
            Sandbox::builder()
                .retention(Retention::default().keep_events(events).keep_bytes(bytes)),
        )
        .await;
        let state = finish(request(&sandbox, Method::GET, "/_sandbox/state")).await;
        state.json()["options"]["deduplicate_among"].as_u64().unwrap()
    };
    assert_eq!(among(10, usize::MAX).await, 25_000);
    assert_eq!(among(30_000, usize::MAX).await, 30_000);
    // Without a bound on their number, the bound on their bytes applies.
    assert_eq!(among(usize::MAX, 1 << 10).await, 25_000);
    assert!((100_000..1_000_000).contains(&among(usize::MAX, 100_000_000).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_concurrent_duplicates_is_kept() {
    let sandbox = friendly().await;
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let request = request(&sandbox, Method::POST, "/events").body(event("a").to_string());
        senders.spawn(finish(request));
    }
    let answers = senders.join_all().await;
    assert!(answers.iter().all(|answered| answered.status == 202));
    assert_eq!((sandbox.event_count(), sandbox.duplicate_count()), (1, 19));
}
