//! What the admin API does.

use intercom_sandbox::{Answer, Fault, Limits, ManualClock, Sandbox, SeedContact};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{client, event, finish, friendly, post_event};

/// Builds a request to the admin API, as a test in another language sends it.
pub(crate) fn admin(sandbox: &Sandbox, method: Method, path: &str) -> RequestBuilder {
    client()
        .request(method, format!("{}/_sandbox{path}", sandbox.url()))
        .header("Content-Type", "application/json")
}

pub(crate) async fn get(sandbox: &Sandbox, path: &str) -> Value {
    let answered = finish(admin(sandbox, Method::GET, path)).await;
    assert_eq!(answered.status, 200, "{}", answered.text);
    assert_eq!(answered.header("cache-control"), Some("no-store"));
    assert_eq!(answered.header("x-content-type-options"), Some("nosniff"));
    answered.json()
}

async fn post(sandbox: &Sandbox, path: &str, body: &Value) -> (u16, Value) {
    let answered = finish(admin(sandbox, Method::POST, path).body(body.to_string())).await;
    (answered.status, answered.json())
}

async fn delete(sandbox: &Sandbox, path: &str) -> (u16, Value) {
    let answered = finish(admin(sandbox, Method::DELETE, path)).await;
    (answered.status, answered.json())
}

/// Returns the error sentence of a refused request.
pub(crate) async fn refused(request: RequestBuilder, status: u16) -> String {
    let answered = finish(request).await;
    assert_eq!(answered.status, status, "{}", answered.text);
    let json = answered.json();
    json["error"].as_str().expect("a sentence").to_owned()
}

#[tokio::test]
async fn a_fault_is_injected_listed_and_removed() {
    let sandbox = friendly().await;
    let (status, fault) = post(&sandbox, "/faults", &json!({"fault": "503 for next 2"})).await;
    assert_eq!(status, 201);
    let expected = |met: u64, left: u64| {
        json!({
            "id": 1, "fault": "503 for next 2", "effect": "503",
            "met": met, "struck": met, "left": left, "ends_at": null,
        })
    };
    assert_eq!(fault, expected(0, 2));
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 503);
    assert_eq!(get(&sandbox, "/faults").await, json!({"faults": [expected(1, 1)]}));

    assert_eq!(delete(&sandbox, "/faults/1").await, (200, json!({"lifted": 1})));
    assert_eq!(get(&sandbox, "/faults").await, json!({"faults": []}));
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 202);

    post(&sandbox, "/faults", &json!({"fault": "outage"})).await;
    post(&sandbox, "/faults", &json!({"fault": "delay 1ms"})).await;
    assert_eq!(delete(&sandbox, "/faults").await, (200, json!({"lifted": 2})));
    assert!(sandbox.faults().is_empty());
}

#[tokio::test]
async fn a_timed_fault_reports_its_end() {
    let clock = ManualClock::at_unix_seconds(1_700_000_000);
    let sandbox = Sandbox::builder().clock(clock).start().await.unwrap();
    let (_, fault) = post(&sandbox, "/faults", &json!({"fault": "outage for 1500ms"})).await;
    assert_eq!(fault["ends_at"], "2023-11-14T22:13:21.500Z");
}

#[tokio::test]
async fn a_status_can_be_given_headers_and_a_body() {
    let sandbox = friendly().await;
    let fault = json!({
        "fault": "429 for next 1",
        "headers": {"Retry-After": "7", "Content-Type": "text/plain"},
        "body": "slow down",
    });
    assert_eq!(post(&sandbox, "/faults", &fault).await.0, 201);
    let answered = post_event(&sandbox, &event("a")).await;
    assert_eq!((answered.status, answered.text.as_str()), (429, "slow down"));
    assert_eq!(answered.header("retry-after"), Some("7"));
    assert_eq!(answered.header("content-type"), Some("text/plain"));
}

#[tokio::test]
async fn an_invalid_fault_is_refused_with_the_right_form() {
    let sandbox = friendly().await;
    for (body, message) in [
        (json!({"fault": "503 sometimes"}), "`sometimes` is not a clause: expected `for 20%`"),
        (json!({"fault": "rate limit 5 for 20%"}), "a rate limit is for all requests"),
        (json!({}), "missing field `fault`"),
        (json!([]), "expected an object with `fault`"),
        (json!({"fault": 503}), "fault: invalid type: integer `503`, expected a string"),
        (json!({"fault": "503", "for": "20%"}), "unknown field `for`"),
        (
            json!({"fault": "hang", "body": "x"}),
            "headers and body go with a status, not with `hang`",
        ),
        (json!({"fault": "503", "headers": {"a b": "c"}}), "`a b: c` is not a header"),
    ] {
        let request = admin(&sandbox, Method::POST, "/faults").body(body.to_string());
        let error = refused(request, 400).await;
        assert!(error.contains(message), "{body}: {error}");
    }
    let error = refused(admin(&sandbox, Method::POST, "/faults").body("503"), 400).await;
    assert!(error.contains("invalid type: integer `503`"), "{error}");
    let error = refused(admin(&sandbox, Method::POST, "/faults").body("{} {}"), 400).await;
    assert!(error.contains("line 1"), "{error}");
    assert!(sandbox.faults().is_empty());

    for id in ["7", "first"] {
        let error = refused(admin(&sandbox, Method::DELETE, &format!("/faults/{id}")), 404).await;
        assert!(error.starts_with(&format!("there is no fault `{id}`")), "{error}");
    }
}

#[tokio::test]
async fn contacts_are_seeded_and_listed_in_one_form() {
    let sandbox = Sandbox::builder()
        .contact(SeedContact::user_id("42").with_name("Ada"))
        .start()
        .await
        .unwrap();
    let seed = json!({"contacts": [
        {"user_id": "43", "email": "b@example.com"},
        {"id": "5ba682d23d7cf92bef87bfd4", "role": "lead"},
        {"email": "gone@example.com", "archived": true, "custom_attributes": {"plan": "pro"}},
    ]});
    let (status, added) = post(&sandbox, "/contacts", &seed).await;
    assert_eq!((status, added["contacts"].as_array().map(Vec::len)), (201, Some(3)));
    assert_eq!(added["contacts"][2]["custom_attributes"], json!({"plan": "pro"}));

    let listed = get(&sandbox, "/contacts").await;
    let short: Vec<_> = listed["contacts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|contact| {
            ["user_id", "email", "role", "name", "archived"].map(|member| contact[member].clone())
        })
        .collect();
    assert_eq!(
        json!(short),
        json!([
            ["42", null, "user", "Ada", false],
            ["43", "b@example.com", "user", null, false],
            [null, null, "lead", null, false],
            [null, "gone@example.com", "user", null, true],
        ])
    );
    let mut body = event("a");
    body["user_id"] = "43".into();
    assert_eq!(post_event(&sandbox, &body).await.status, 202);

    // A listed contact can seed another sandbox.
    let other = Sandbox::start().await.unwrap();
    assert_eq!(post(&other, "/contacts", &listed).await, (201, listed));
}

#[tokio::test]
async fn a_mistake_in_a_seed_contact_is_reported_with_its_path() {
    let sandbox = friendly().await;
    for (contacts, message) in [
        (json!([{"user_id": "1"}, {"name": "Ada"}]), "contacts[1]: a contact needs `user_id`"),
        (json!([{"user_id": 1}]), "contacts[0].user_id: invalid type: integer `1`"),
        (json!([{"user_id": "1", "mail": "a"}]), "contacts[0].mail: unknown field `mail`"),
        (json!([{"user_id": "1", "role": "admin"}]), "contacts[0].role: unknown variant `admin`"),
        (json!(["42"]), "contacts[0]: invalid type: string \"42\", expected a contact"),
    ] {
        let body = json!({"contacts": contacts}).to_string();
        let error = refused(admin(&sandbox, Method::POST, "/contacts").body(body), 400).await;
        assert!(error.starts_with(message), "{error}");
    }
    assert!(sandbox.contacts().is_empty(), "all or none");
}

#[tokio::test]
async fn contacts_are_limited() {
    let sandbox =
        Sandbox::builder().limits(Limits::default().max_contacts(1)).start().await.unwrap();
    let body = json!({"contacts": [{"user_id": "1"}, {"user_id": "2"}]}).to_string();
    let error = refused(admin(&sandbox, Method::POST, "/contacts").body(body), 422).await;
    assert!(error.starts_with("the sandbox is full: added 1 of 2 contacts"), "{error}");
    assert_eq!(sandbox.contacts().len(), 1);
}

#[tokio::test]
async fn the_state_has_counts_limits_and_faults() {
    let clock = ManualClock::at_unix_seconds(1_700_000_000);
    let sandbox = Sandbox::builder()
        .know_everybody(true)
        .clock(clock)
        .seed(7)
        .rate_limit(10)
        .start()
        .await
        .unwrap();
    post_event(&sandbox, &event("a")).await;
    post_event(&sandbox, &event("a")).await;
    post_event(&sandbox, &json!({})).await;
    sandbox.fail_next(1, 503);
    post_event(&sandbox, &event("a")).await;
    post(&sandbox, "/faults", &json!({"fault": "outage for next 1"})).await;

    let state = get(&sandbox, "/state").await;
    assert_eq!(state["url"], sandbox.url());
    assert_eq!(state["seed"], 7);
    assert_eq!(state["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        state["counts"],
        json!({
            "requests": 4, "accepted": 1, "duplicate": 1, "refused": 1, "faulted": 1, "served": 0,
        })
    );
    assert_eq!(state["rate_limit"], json!({"limit": 10, "remaining": 7, "reset": 1_700_000_010}));
    assert_eq!(state["faults"][0]["fault"], "outage for next 1");
    assert!(!state.to_string().contains(sandbox.token()), "the token stays where it is");
}

#[tokio::test]
async fn requests_are_listed_from_a_number_on() {
    let sandbox = friendly().await;
    for name in ["a", "b", "c"] {
        post_event(&sandbox, &event(name)).await;
    }
    let names = async |query: &str| {
        let listed = get(&sandbox, &format!("/requests{query}")).await;
        let requests = listed["requests"].as_array().expect("an array");
        let names: Vec<_> =
            requests.iter().map(|request| request["event"]["name"].clone()).collect();
        (json!(names), listed["last"].clone())
    };
    assert_eq!(names("").await, (json!(["a", "b", "c"]), json!(3)));
    assert_eq!(names("?after=1").await, (json!(["b", "c"]), json!(3)));
    assert_eq!(names("?after=1&limit=1").await, (json!(["b"]), json!(2)));
    assert_eq!(names("?after=7").await, (json!([]), json!(7)));
    for query in ["?after=x", "?before=1", "?limit=-1"] {
        let error = refused(admin(&sandbox, Method::GET, &format!("/requests{query}")), 400).await;
        assert!(error.starts_with("the query has `after` and `limit`"), "{error}");
    }
}

#[tokio::test]
async fn clearing_forgets_received_requests() {
    let sandbox = friendly().await;
    post_event(&sandbox, &event("a")).await;
    sandbox.fail_next(1, 503);
    assert_eq!(post(&sandbox, "/clear", &json!({})).await, (200, json!({})));
    assert_eq!((sandbox.request_count(), sandbox.pending_answers()), (0, 0));
}

#[tokio::test]
async fn large_requests_come_in_parts() {
    let sandbox = friendly().await;
    for second in 0..12 {
        let mut body = event("large");
        body["created_at"] = second.into();
        body["unknown"] = "x".repeat(1_000_000).into();
        assert_eq!(post_event(&sandbox, &body).await.status, 202);
    }
    let first = get(&sandbox, "/requests").await;
    assert_eq!(first["requests"].as_array().map(Vec::len), Some(8));
    assert_eq!(first["last"], 8);
    let rest = get(&sandbox, "/requests?after=8").await;
    assert_eq!(rest["requests"].as_array().map(Vec::len), Some(4));
    assert_eq!(rest["last"], 12);
}

#[tokio::test]
async fn the_list_of_contacts_has_every_contact() {
    let sandbox = friendly().await;
    let listed = get(&sandbox, "").await;
    assert_eq!(listed, get(&sandbox, "/").await);
    let requests = listed["requests"].as_array().expect("a list");
    let mut reads = 0;
    for request in requests.iter().filter_map(|request| request["request"].as_str()) {
        // Every listed path exists.
        if let Some(path) = request.strip_prefix("GET /_sandbox")
            && !path.starts_with("/feed")
        {
            get(&sandbox, path).await;
            reads += 1;
        }
    }
    assert_eq!(reads, 8, "{listed}");
    let unknown = refused(admin(&sandbox, Method::GET, "/nowhere"), 404).await;
    assert!(unknown.contains("`GET /_sandbox/` lists"), "{unknown}");
}

#[tokio::test]
async fn a_user_that_is_seeded_again_stays_one_user() {
    let sandbox = Sandbox::start().await.unwrap();
    let ada = json!([{"user_id": "42", "email": "ada@example.com"}]);
    let (status, first) = post(&sandbox, "/contacts", &ada).await;
    assert_eq!(status, 201);
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 202);
    let (status, second) = post(&sandbox, "/contacts", &json!([{"user_id": "42"}])).await;
    assert_eq!((status, &second["contacts"][0]["id"]), (201, &first["contacts"][0]["id"]));
    assert_eq!(second["contacts"][0]["email"], Value::Null);
    assert_eq!(sandbox.contacts().len(), 1);

    // The memory of duplicates sees one contact too.
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 202);
    assert_eq!((sandbox.event_count(), sandbox.duplicate_count()), (1, 1));
}

#[tokio::test]
async fn contacts_can_be_searched_and_the_latest_listed() {
    let sandbox = Sandbox::builder()
        .contact(SeedContact::user_id("1").with_name("Ada Lovelace"))
        .contact(SeedContact::email("ADA@example.com"))
        .contact(SeedContact::user_id("3"))
        .start()
        .await
        .unwrap();
    let found = async |query: &str| {
        let listed = get(&sandbox, &format!("/contacts{query}")).await;
        let contacts = listed["contacts"].as_array().unwrap().iter();
        let ids: Vec<_> = contacts.map(|contact| contact["user_id"].clone()).collect();
        (listed["total"].clone(), ids)
    };
    assert_eq!(found("").await, (json!(3), vec![json!("1"), json!(null), json!("3")]));
    assert_eq!(found("?limit=1").await, (json!(3), vec![json!("3")]));
    assert_eq!(found("?search=ada").await, (json!(2), vec![json!("1"), json!(null)]));
    assert_eq!(found("?search=aDa&limit=1").await, (json!(2), vec![json!(null)]));
    assert_eq!(found("?limit=0").await, (json!(3), vec![]));
    for wrong in ["?limit=some", "?find=ada"] {
        let url = format!("{}/_sandbox/contacts{wrong}", sandbox.url());
        assert_eq!(finish(client().get(url)).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_request_can_be_sent_again() {
    let sandbox = Sandbox::start().await.unwrap();
    let resend = async |number: &str| {
        let url = format!("{}/_sandbox/requests/{number}/resend", sandbox.url());
        finish(client().post(url).header("Content-Type", "application/json").body("{}")).await
    };
    let mut body = event("plan.updated");
    body["metadata"] = json!({"city": "Zürich"});
    assert_eq!(post_event(&sandbox, &body).await.status, 404);
    sandbox.add_contact(SeedContact::user_id("42"));
    assert_eq!(resend("1").await.json(), json!({"status": 202}));
    let requests = sandbox.requests();
    assert_eq!(requests[0].body(), requests[1].body());
    assert_eq!(requests[1].header("authorization"), Some("Bearer [redacted]"));
    // A resent request is like any other: a duplicate, or subject to a fault.
    assert_eq!(resend("1").await.json(), json!({"status": 202}));
    assert_eq!(sandbox.duplicate_count(), 1);
    sandbox.inject(Fault::answer(Answer::hang_up()).next(1));
    assert_eq!(resend("2").await.json(), json!({"status": null}));
    // The query is resent too.
    let url =
        format!("{}/contacts/find_by_external_id/42?include_merge_history=yes", sandbox.url());
    assert_eq!(finish(client().get(url).bearer_auth(sandbox.token())).await.status, 400);
    let last = sandbox.request_count().to_string();
    assert_eq!(resend(&last).await.json(), json!({"status": 400}));
    for none in ["0", "99", "x"] {
        assert_eq!(resend(none).await.status, 404, "{none}");
    }
}
