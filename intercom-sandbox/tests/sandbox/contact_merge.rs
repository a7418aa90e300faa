//! Merging a lead into a user.

use std::time::Duration;

use intercom_sandbox::{ManualClock, OpenRules, Outcome, Sandbox, SandboxBuilder, SeedContact};
use reqwest::Method;
use serde_json::{Value, json};

use crate::contact_calls::{bare, get, hint, search, send};
use crate::support::{Answered, finish, post_event, request};

const MERGED: &str =
    "This contact has been merged. See the 'Link' header for the canonical contact.";

/// A lead `1ead` and a user `05e4` that share an email, and another lead.
fn duplicates() -> SandboxBuilder {
    Sandbox::builder()
        .contact(
            SeedContact::contact_id("1ead")
                .with_user_id("visitor-1")
                .with_email("ada@example.com")
                .with_name("Visitor")
                .with_phone("+1")
                .with_custom_attribute("plan", "none")
                .with_custom_attribute("source", "chat")
                .lead(),
        )
        .contact(
            SeedContact::contact_id("05e4")
                .with_email("ada@example.com")
                .with_name("Ada")
                .with_custom_attribute("plan", "pro"),
        )
        .contact(SeedContact::contact_id("07e4").with_email("other@example.com").lead())
}

async fn merge(sandbox: &Sandbox, body: &Value) -> Answered {
    send(sandbox, Method::POST, "/contacts/merge", body).await
}

#[tokio::test]
async fn the_user_takes_missing_details_from_the_lead() {
    let sandbox = duplicates().start().await.unwrap();
    let answered = merge(&sandbox, &json!({"from": "1ead", "into": "05e4"})).await;
    assert_eq!(answered.status, 200, "{}", answered.text);
    let user = answered.json();
    assert_eq!((&user["id"], &user["role"]), (&json!("05e4"), &json!("user")));
    assert_eq!(user["name"], "Ada");
    assert_eq!(user["phone"], "+1");
    assert_eq!(user["external_id"], "visitor-1");
    assert_eq!(user["custom_attributes"], json!({"plan": "pro", "source": "chat"}));
    assert_eq!(sandbox.contacts().len(), 2);
    assert_eq!(sandbox.contact("1ead").expect("it is the user now").contact_id(), "05e4");
}

#[tokio::test]
async fn a_merged_contact_links_to_the_other() {
    let sandbox = duplicates().start().await.unwrap();
    merge(&sandbox, &json!({"from": "1ead", "into": "05e4"})).await;
    for (method, path) in [
        (Method::GET, "/contacts/1ead"),
        (Method::DELETE, "/contacts/1ead"),
        (Method::POST, "/contacts/1ead/archive"),
    ] {
        let answered = bare(&sandbox, method, path).await;
        assert_eq!(answered.status, 410);
        assert_eq!(answered.errors(), ["contact_merged"]);
        assert_eq!(answered.message(), MERGED);
        assert_eq!(answered.header("link"), Some("</contacts/05e4>; rel=\"canonical\""));
        assert!(hint(&sandbox).contains("05e4"));
    }
    let by_name = json!({"query": {"field": "name", "operator": "=", "value": "Visitor"}});
    assert_eq!(search(&sandbox, &by_name).await.json()["total_count"], 0);
    assert_eq!(get(&sandbox, "/contacts").await.json()["total_count"], 2);
}

#[tokio::test]
async fn a_merged_external_id_links_to_the_other() {
    let builder =
        duplicates().contact(SeedContact::contact_id("0abc").with_user_id("9").with_phone("+1"));
    let sandbox = builder.start().await.unwrap();
    // This user keeps its own external id, not the lead's.
    merge(&sandbox, &json!({"from": "1ead", "into": "0abc"})).await;
    let answered = get(&sandbox, "/contacts/find_by_external_id/visitor-1").await;
    assert_eq!(answered.status, 410);
    assert_eq!(answered.header("link"), Some("</contacts/0abc>; rel=\"canonical\""));
    // Another user has the lead's email, so the user does not take it.
    assert_eq!(sandbox.contact("0abc").expect("it is there").email(), None);
}

#[tokio::test]
async fn a_merged_contact_can_be_unknown_instead() {
    let sandbox = duplicates()
        .open_rules(OpenRules::default().merged_contact_is_404(true))
        .start()
        .await
        .unwrap();
    merge(&sandbox, &json!({"from": "1ead", "into": "05e4"})).await;
    let answered = get(&sandbox, "/contacts/1ead").await;
    assert_eq!((answered.status, answered.errors()), (404, vec!["not_found".to_owned()]));
}

#[tokio::test]
async fn events_of_the_merged_contact_belong_to_the_other() {
    // Intercom lists only events of some months: those of second 1 are recent at second 2.
    let clock = ManualClock::at_unix_seconds(2);
    let sandbox = duplicates().clock(clock).start().await.unwrap();
    let event = |name: &str, id: &str| json!({"event_name": name, "created_at": 1, "id": id});
    assert_eq!(post_event(&sandbox, &event("before", "1ead")).await.status, 202);
    merge(&sandbox, &json!({"from": "1ead", "into": "05e4"})).await;
    assert_eq!(post_event(&sandbox, &event("after", "1ead")).await.status, 202);
    // The name, second and contact are the same, so the events are duplicates.
    assert_eq!(post_event(&sandbox, &event("after", "05e4")).await.status, 202);
    assert_eq!(sandbox.requests().last().unwrap().outcome(), Outcome::Duplicate);

    let list = get(&sandbox, "/events?type=user&intercom_user_id=05e4").await.json();
    let mut names: Vec<_> = list["events"].as_array().unwrap().iter().collect();
    names.sort_by_key(|event| event["event_name"].as_str());
    assert_eq!(names.len(), 2, "{list}");
    assert_eq!(
        (&names[0]["event_name"], &names[1]["event_name"]),
        (&json!("after"), &json!("before"))
    );
}

#[tokio::test]
async fn a_contact_that_others_were_merged_into_can_be_merged_itself() {
    let builder =
        duplicates().contact(SeedContact::contact_id("0abc").with_user_id("9").with_phone("+1"));
    let sandbox = builder.start().await.unwrap();
    merge(&sandbox, &json!({"from": "1ead", "into": "05e4"})).await;
    let demoted = send(&sandbox, Method::PUT, "/contacts/05e4", &json!({"role": "lead"})).await;
    assert_eq!(demoted.status, 200);
    assert_eq!(merge(&sandbox, &json!({"from": "05e4", "into": "0abc"})).await.status, 200);
    for id in ["1ead", "05e4"] {
        let answered = get(&sandbox, &format!("/contacts/{id}")).await;
        assert_eq!(answered.header("link"), Some("</contacts/0abc>; rel=\"canonical\""), "{id}");
    }
    // Deleting the last contact deletes its merged contacts.
    bare(&sandbox, Method::DELETE, "/contacts/0abc").await;
    for id in ["1ead", "05e4", "0abc"] {
        assert_eq!(get(&sandbox, &format!("/contacts/{id}")).await.status, 404, "{id}");
    }
}

#[tokio::test]
async fn only_a_lead_is_merged_and_only_into_a_user() {
    let sandbox = duplicates().start().await.unwrap();
    for (from, into) in [("05e4", "1ead"), ("1ead", "07e4"), ("05e4", "05e4"), ("1ead", "1ead")] {
        let answered = merge(&sandbox, &json!({"from": from, "into": into})).await;
        assert_eq!((answered.status, answered.errors()), (400, vec!["invalid_merge".to_owned()]));
        assert_eq!(answered.message(), "Merging can only be performed on a lead into a user");
        assert!(hint(&sandbox).contains("lead"));
    }
    for (from, into) in [("none", "05e4"), ("1ead", "none")] {
        assert_eq!(merge(&sandbox, &json!({"from": from, "into": into})).await.status, 404);
    }
    assert_eq!(sandbox.contacts().len(), 3);
}

#[tokio::test]
async fn only_duplicates_are_merged_by_default() {
    let body = json!({"from": "07e4", "into": "05e4"});
    let strict = duplicates().start().await.unwrap();
    let answered = merge(&strict, &body).await;
    assert_eq!((answered.status, answered.errors()), (400, vec!["invalid_merge".to_owned()]));
    assert!(answered.message().contains("skip_duplicate_validation"));
    assert!(hint(&strict).contains("skip_duplicate_validation"));
    let wanted = json!({"from": "07e4", "into": "05e4", "skip_duplicate_validation": true});
    assert_eq!(merge(&strict, &wanted).await.status, 200);

    let older = duplicates()
        .open_rules(OpenRules::default().merges_only_duplicates(false))
        .start()
        .await
        .unwrap();
    assert_eq!(merge(&older, &body).await.status, 200);
}

#[tokio::test]
async fn mistakes_in_a_merge_are_reported() {
    let sandbox = duplicates().start().await.unwrap();
    for (body, errors) in [
        (json!({}), vec!["parameter_not_found from", "parameter_not_found into"]),
        (json!({"from": "1ead", "into": ""}), vec!["parameter_not_found into"]),
        (json!({"from": 1, "into": "05e4"}), vec!["parameter_invalid from"]),
        (
            json!({"from": "1ead", "into": "05e4", "skip_duplicate_validation": "true"}),
            vec!["parameter_invalid skip_duplicate_validation"],
        ),
        (json!([]), vec!["bad_request"]),
    ] {
        let answered = merge(&sandbox, &body).await;
        assert_eq!(answered.status, 400);
        assert_eq!(answered.errors(), errors, "{body}");
    }
}

/// Sends a call with a version of the API.
async fn call(sandbox: &Sandbox, version: &str, method: Method, path: &str) -> Answered {
    finish(request(sandbox, method, path).header("Intercom-Version", version)).await
}

#[tokio::test]
async fn only_newer_versions_link_from_a_merged_contact() {
    let sandbox = duplicates().start().await.unwrap();
    merge(&sandbox, &json!({"from": "1ead", "into": "05e4"})).await;
    for (version, status) in [("1.4", 404), ("2.15", 404), ("2.16", 410), ("Preview", 410)] {
        let answered = call(&sandbox, version, Method::GET, "/contacts/1ead").await;
        assert_eq!(answered.status, status, "{version}");
        assert_eq!(answered.header("link").is_some(), status == 410, "{version}");
    }
}

#[tokio::test]
async fn a_contact_lists_its_merges() {
    let clock = ManualClock::at_unix_seconds(1_700_000_000);
    let other = SeedContact::contact_id("0abc").with_email("ada@example.com").lead();
    let sandbox = duplicates().contact(other).clock(clock.clone()).start().await.unwrap();
    for from in ["1ead", "0abc"] {
        clock.advance(Duration::from_secs(10));
        assert_eq!(merge(&sandbox, &json!({"from": from, "into": "05e4"})).await.status, 200);
    }
    let record = |id: &str, at: u64| json!({"type": "merge_history", "source_contact_id": id, "merged_at": at});
    let (first, last) = (record("1ead", 1_700_000_010), record("0abc", 1_700_000_020));

    let path = "/contacts/05e4/merge_history";
    let list = get(&sandbox, path).await.json();
    assert_eq!(list, json!({"type": "list", "data": [last, first], "next_cursor": null}));
    let list = get(&sandbox, &format!("{path}?order=asc&per_page=1")).await.json();
    assert_eq!(list["data"], json!([first]));
    let cursor = list["next_cursor"].as_str().expect("there is more").to_owned();
    let rest = get(&sandbox, &format!("{path}?order=asc&per_page=1&cursor={cursor}")).await.json();
    assert_eq!((&rest["data"], &rest["next_cursor"]), (&json!([last]), &Value::Null));
    for wrong in ["order=up", "per_page=0", "per_page=151", "cursor=x"] {
        assert_eq!(get(&sandbox, &format!("{path}?{wrong}")).await.status, 400, "{wrong}");
    }
    // A lead has no history, nor has an unknown contact, and older versions have no such path.
    assert_eq!(get(&sandbox, "/contacts/07e4/merge_history").await.status, 404);
    assert_eq!(get(&sandbox, "/contacts/none/merge_history").await.status, 404);
    let older = call(&sandbox, "2.15", Method::GET, path).await;
    assert_eq!((older.status, older.errors()), (404, vec!["api_path_not_found".to_owned()]));
}

#[tokio::test]
async fn a_contact_includes_its_merge_history_on_request() {
    let sandbox = duplicates().start().await.unwrap();
    merge(&sandbox, &json!({"from": "1ead", "into": "05e4"})).await;
    let with = "include_merge_history=true";
    let one = get(&sandbox, &format!("/contacts/05e4?{with}")).await.json();
    assert_eq!(one["merge_history"][0]["source_contact_id"], "1ead");
    let all = get(&sandbox, &format!("/contacts?{with}")).await.json();
    let histories: Vec<_> =
        all["data"].as_array().unwrap().iter().map(|one| one.get("merge_history")).collect();
    // The lead has no history.
    assert_eq!(histories, [Some(&one["merge_history"]), None]);
    for without in ["/contacts/05e4", "/contacts/05e4?include_merge_history=false"] {
        assert!(get(&sandbox, without).await.json().get("merge_history").is_none(), "{without}");
    }
    let path = format!("/contacts/05e4?{with}");
    let older = call(&sandbox, "2.15", Method::GET, &path).await.json();
    assert!(older.get("merge_history").is_none());
    assert_eq!(get(&sandbox, "/contacts/05e4?include_merge_history=yes").await.status, 400);
}
