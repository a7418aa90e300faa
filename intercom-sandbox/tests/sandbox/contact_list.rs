//! Listing contacts, page by page.

use intercom_sandbox::{Sandbox, SeedContact};
use reqwest::Method;
use serde_json::json;

use crate::contact_calls::{bare, external_ids, get, hint, next};

async fn with_contacts(count: usize) -> Sandbox {
    let sandbox = Sandbox::start().await.expect("a free port");
    for number in 0..count {
        sandbox.add_contact(SeedContact::user_id(number.to_string()));
    }
    sandbox
}

#[tokio::test]
async fn an_empty_workspace_has_an_empty_list() {
    let sandbox = Sandbox::start().await.unwrap();
    assert_eq!(
        get(&sandbox, "/contacts").await.json(),
        json!({
            "type": "list",
            "data": [],
            "total_count": 0,
            "pages": {"type": "pages", "page": 1, "per_page": 50, "total_pages": 0},
        })
    );
}

#[tokio::test]
async fn a_list_is_followed_from_page_to_page() {
    let sandbox = with_contacts(5).await;
    let first = get(&sandbox, "/contacts?per_page=2").await;
    assert_eq!(external_ids(&first), ["0", "1"]);
    let cursor = next(&first).expect("a second page");
    assert_eq!(first.json()["total_count"], 5);
    assert_eq!(
        first.json()["pages"],
        json!({
            "type": "pages",
            "page": 1,
            "per_page": 2,
            "total_pages": 3,
            "next": {"per_page": 2, "starting_after": cursor},
        })
    );
    let second = get(&sandbox, &format!("/contacts?per_page=2&starting_after={cursor}")).await;
    assert_eq!(external_ids(&second), ["2", "3"]);
    assert_eq!(second.json()["pages"]["page"], 2);
    let cursor = next(&second).expect("a third page");
    let third = get(&sandbox, &format!("/contacts?starting_after={cursor}&per_page=2")).await;
    assert_eq!(external_ids(&third), ["4"]);
    assert_eq!(third.json()["pages"]["page"], 3);
    assert_eq!(next(&third), None);
}

#[tokio::test]
async fn pages_neither_repeat_nor_skip_a_contact_while_others_come_and_go() {
    let sandbox = with_contacts(4).await;
    let first = get(&sandbox, "/contacts?per_page=2").await;
    assert_eq!(external_ids(&first), ["0", "1"]);
    // A client deletes the contact at the cursor, and a new contact arrives.
    for number in ["0", "1"] {
        let id = sandbox.user(number).expect("it is there").contact_id().to_owned();
        bare(&sandbox, Method::DELETE, &format!("/contacts/{id}")).await;
    }
    sandbox.add_contact(SeedContact::user_id("4"));
    let cursor = next(&first).expect("a second page");
    let second = get(&sandbox, &format!("/contacts?starting_after={cursor}")).await;
    assert_eq!(external_ids(&second), ["2", "3", "4"]);
}

#[tokio::test]
async fn a_page_has_fifty_contacts_by_default() {
    let sandbox = with_contacts(151).await;
    for (query, expected) in [("", 50), ("?per_page=150", 150), ("?per_page=1", 1)] {
        assert_eq!(
            external_ids(&get(&sandbox, &format!("/contacts{query}")).await).len(),
            expected
        );
    }
}

#[tokio::test]
async fn mistakes_in_a_query_are_reported() {
    let sandbox = with_contacts(1).await;
    for (query, error) in [
        ("per_page=0", "parameter_invalid per_page"),
        ("per_page=151", "parameter_invalid per_page"),
        ("per_page=-1", "parameter_invalid per_page"),
        ("per_page=ten", "parameter_invalid per_page"),
        ("starting_after=nonsense", "parameter_invalid starting_after"),
        ("per_page=1&per_page=2", "bad_request"),
    ] {
        let answered = get(&sandbox, &format!("/contacts?{query}")).await;
        assert_eq!((answered.status, answered.errors()), (400, vec![error.to_owned()]), "{query}");
        assert!(!hint(&sandbox).is_empty());
    }
    // The sandbox takes an empty cursor for none, and ignores other parameters.
    let answered = get(&sandbox, "/contacts?starting_after=&page=1").await;
    assert_eq!(external_ids(&answered), ["0"]);
}
