//! Searching contacts by Intercom's query language.

use intercom_sandbox::{Sandbox, SeedContact};
use reqwest::Method;
use serde_json::{Value, json};

use crate::contact_calls::{create, external_ids, hint, next, search};
use crate::support::{finish, request};

/// Midnight of a day, in UTC.
const DAY: i64 = 1_700_006_400;

/// Starts a sandbox with Ada, Bob, and a lead with few details.
async fn people() -> Sandbox {
    let sandbox = Sandbox::start().await.expect("a free port");
    for contact in [
        json!({
            "external_id": "ada", "email": "ada@example.com", "name": "Ada Lovelace",
            "phone": "+1", "owner_id": "7", "signed_up_at": DAY + 100,
            "unsubscribed_from_emails": true,
            "custom_attributes": {"plan": "pro", "seats": 10, "paid": true},
        }),
        json!({
            "external_id": "bob", "email": "bob@example.org", "name": "Bob",
            "signed_up_at": DAY + 86_400,
            "custom_attributes": {"plan": "free", "seats": 2, "paid": false},
        }),
        json!({"external_id": "lead", "role": "lead"}),
    ] {
        create(&sandbox, &contact).await;
    }
    sandbox
}

async fn found(sandbox: &Sandbox, query: &Value) -> Vec<String> {
    external_ids(&search(sandbox, &json!({"query": query})).await)
}

fn filter(field: &str, operator: &str, value: impl Into<Value>) -> Value {
    json!({"field": field, "operator": operator, "value": value.into()})
}

#[tokio::test]
async fn every_operator_compares_as_documented() {
    let sandbox = people().await;
    let text_of_day = DAY.to_string();
    for (query, expected) in [
        (filter("email", "=", "ada@example.com"), vec!["ada"]),
        (filter("email", "=", "ADA@example.com"), vec![]),
        (filter("email", "!=", "ada@example.com"), vec!["bob", "lead"]),
        (filter("email", "~", "example"), vec!["ada", "bob"]),
        (filter("email", "!~", ".org"), vec!["ada", "lead"]),
        (filter("email", "^", "bob"), vec!["bob"]),
        (filter("email", "$", ".com"), vec!["ada"]),
        (filter("email_domain", "=", "example.org"), vec!["bob"]),
        (filter("external_id", "IN", json!(["ada", "lead", "eve"])), vec!["ada", "lead"]),
        (filter("external_id", "NIN", json!(["ada", "lead"])), vec!["bob"]),
        (filter("external_id", "IN", json!([])), vec![]),
        (filter("email", "=", Value::Null), vec!["lead"]),
        (filter("email", "!=", Value::Null), vec!["ada", "bob"]),
        (filter("role", "=", "lead"), vec!["lead"]),
        (filter("owner_id", "=", "7"), vec!["ada"]),
        (filter("owner_id", "IN", json!([7, 8])), vec!["ada"]),
        (filter("unsubscribed_from_emails", "=", true), vec!["ada"]),
        (filter("has_hard_bounced", "=", false), vec!["ada", "bob", "lead"]),
        (filter("location.country", "=", "Ireland"), vec![]),
        // Times count by their day, and can be strings.
        (filter("signed_up_at", "=", DAY), vec!["ada"]),
        (filter("signed_up_at", "=", text_of_day.as_str()), vec!["ada"]),
        (filter("signed_up_at", ">", DAY - 1), vec!["ada", "bob"]),
        (filter("signed_up_at", ">", DAY + 5), vec!["bob"]),
        (filter("signed_up_at", "<", DAY + 86_400), vec!["ada"]),
        (filter("signed_up_at", "<", DAY + 86_399), vec![]),
        (filter("custom_attributes.plan", "=", "pro"), vec!["ada"]),
        (filter("custom_attributes.plan", "~", "r"), vec!["ada", "bob"]),
        (filter("custom_attributes.seats", ">", 2), vec!["ada"]),
        (filter("custom_attributes.seats", "<", "10"), vec!["bob"]),
        (filter("custom_attributes.seats", ">=", 10), vec!["ada"]),
        (filter("custom_attributes.seats", ">=", 11), vec![]),
        (filter("custom_attributes.seats", "<=", "2"), vec!["bob"]),
        (filter("custom_attributes.seats", "<=", 10), vec!["ada", "bob"]),
        (filter("tag_id", "=", "7"), vec![]),
        (filter("tag_id", "!=", "7"), vec!["ada", "bob", "lead"]),
        (filter("custom_attributes.seats", "=", 10.0), vec!["ada"]),
        (filter("custom_attributes.paid", "=", false), vec!["bob"]),
        (filter("custom_attributes.unheard_of", "=", 1), vec![]),
    ] {
        assert_eq!(found(&sandbox, &query).await, expected, "{query}");
    }
}

/// `Preview` compares to the second, and has more operators than the numbered versions.
#[tokio::test]
async fn the_preview_compares_times_to_the_second() {
    let sandbox = people().await;
    for (query, expected) in [
        (filter("signed_up_at", "=", DAY), vec![]),
        (filter("signed_up_at", "=", DAY + 100), vec!["ada"]),
        (filter("signed_up_at", "!=", DAY + 100), vec!["bob", "lead"]),
        (filter("signed_up_at", ">", DAY + 99), vec!["ada", "bob"]),
        (filter("signed_up_at", ">", DAY + 100), vec!["bob"]),
        (filter("signed_up_at", ">=", DAY + 100), vec!["ada", "bob"]),
        (filter("signed_up_at", "<=", DAY + 100), vec!["ada"]),
        (filter("signed_up_at", "<", DAY + 100), vec![]),
    ] {
        let body = json!({"query": query}).to_string();
        let call = request(&sandbox, Method::POST, "/contacts/search").body(body);
        let answered = finish(call.header("Intercom-Version", "Preview")).await;
        assert_eq!(external_ids(&answered), expected, "{query}");
    }
}

#[tokio::test]
async fn filters_are_joined_and_nested() {
    let sandbox = people().await;
    let ada = filter("external_id", "=", "ada");
    let bob = filter("external_id", "=", "bob");
    let pro = filter("custom_attributes.plan", "=", "pro");
    let user = filter("role", "=", "user");
    for (query, expected) in [
        (json!({"operator": "AND", "value": [user, pro]}), vec!["ada"]),
        (json!({"operator": "OR", "value": [bob, pro]}), vec!["ada", "bob"]),
        (json!({"operator": "AND", "value": [ada, bob]}), vec![]),
        (
            json!({"operator": "AND", "value": [
                {"operator": "OR", "value": [ada, bob]},
                {"operator": "OR", "value": [pro, filter("role", "=", "lead")]},
            ]}),
            vec!["ada"],
        ),
    ] {
        assert_eq!(found(&sandbox, &query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn groups_have_their_limits() {
    let sandbox = people().await;
    let ada = filter("external_id", "=", "ada");
    let full = json!({"operator": "OR", "value": vec![&ada; 15]});
    assert_eq!(found(&sandbox, &full).await, ["ada"]);
    for (query, error) in [
        (json!({"operator": "OR", "value": vec![&ada; 16]}), "parameter_invalid query.value"),
        (
            json!({"operator": "AND", "value": [
                {"operator": "OR", "value": [{"operator": "AND", "value": [ada]}]},
            ]}),
            "parameter_invalid query.value[0].value[0]",
        ),
    ] {
        let answered = search(&sandbox, &json!({"query": query})).await;
        assert_eq!((answered.status, answered.errors()), (422, vec![error.to_owned()]), "{query}");
        assert!(!hint(&sandbox).is_empty());
    }
}

#[tokio::test]
async fn mistakes_in_a_query_are_reported() {
    let sandbox = people().await;
    for (query, errors) in [
        (json!("ada"), vec!["parameter_invalid query"]),
        (json!({}), vec!["parameter_not_found query.operator"]),
        (
            json!({"operator": "="}),
            vec!["parameter_not_found query.field", "parameter_not_found query.value"],
        ),
        (filter("plan", "=", "pro"), vec!["parameter_invalid query.field"]),
        (filter("custom_attributes.", "=", "pro"), vec!["parameter_invalid query.field"]),
        (filter("email", "==", "a"), vec!["parameter_invalid query.operator"]),
        (filter("created_at", ">=", 1), vec!["parameter_invalid query.operator"]),
        (filter("created_at", "<=", 1), vec!["parameter_invalid query.operator"]),
        (filter("created_at", "!=", 1), vec!["parameter_invalid query.operator"]),
        (filter("created_at", "IN", json!([1])), vec!["parameter_invalid query.operator"]),
        (filter("created_at", "NIN", json!([1])), vec!["parameter_invalid query.operator"]),
        (filter("tag_id", "~", "7"), vec!["parameter_invalid query.operator"]),
        (filter("tag_id", "^", "7"), vec!["parameter_invalid query.operator"]),
        (filter("tag_id", "IN", json!(["7"])), vec!["parameter_invalid query.operator"]),
        (filter("email", ">=", "a"), vec!["parameter_invalid query.operator"]),
        (filter("email", ">", "a"), vec!["parameter_invalid query.operator"]),
        (filter("created_at", "~", "1"), vec!["parameter_invalid query.operator"]),
        (filter("unsubscribed_from_emails", "^", "t"), vec!["parameter_invalid query.operator"]),
        (filter("created_at", "=", "foobar"), vec!["parameter_invalid query.value"]),
        (filter("email", "=", 7), vec!["parameter_invalid query.value"]),
        (filter("email", "~", Value::Null), vec!["parameter_invalid query.value"]),
        (filter("role", "=", "admin"), vec!["parameter_invalid query.value"]),
        (filter("email", "IN", "ada@example.com"), vec!["parameter_invalid query.value"]),
        (filter("email", "AND", "ada@example.com"), vec!["parameter_invalid query.value"]),
        (json!({"operator": "AND", "value": []}), vec!["parameter_invalid query.value"]),
        (
            json!({"operator": "OR", "value": [filter("x", "=", 1), 5, filter("email", "=", 7)]}),
            vec![
                "parameter_invalid query.value[0].field",
                "parameter_invalid query.value[1]",
                "parameter_invalid query.value[2].value",
            ],
        ),
    ] {
        let answered = search(&sandbox, &json!({"query": query})).await;
        assert_eq!(answered.status, 400, "{query}");
        assert_eq!(answered.errors(), errors, "{query}");
        let requests = sandbox.requests();
        let problems = requests.last().unwrap().problems();
        assert!(problems.iter().all(|problem| problem.hint().is_some()), "{problems:?}");
    }
}

#[tokio::test]
async fn mistakes_beside_a_query_are_reported() {
    let sandbox = people().await;
    let query = filter("role", "=", "user");
    for (body, error) in [
        (json!({}), "parameter_not_found query"),
        (json!({"query": query, "sort": "name"}), "parameter_invalid sort"),
        (json!({"query": query, "sort": {}}), "parameter_not_found sort.field"),
        (json!({"query": query, "sort": {"field": "x"}}), "parameter_invalid sort.field"),
        (json!({"query": query, "pagination": 5}), "parameter_invalid pagination"),
        (
            json!({"query": query, "pagination": {"per_page": 151}}),
            "parameter_invalid pagination.per_page",
        ),
        (
            json!({"query": query, "pagination": {"per_page": "5"}}),
            "parameter_invalid pagination.per_page",
        ),
        (
            json!({"query": query, "pagination": {"starting_after": "nonsense"}}),
            "parameter_invalid pagination.starting_after",
        ),
    ] {
        let answered = search(&sandbox, &body).await;
        assert_eq!((answered.status, answered.errors()), (400, vec![error.to_owned()]), "{body}");
        assert!(!hint(&sandbox).is_empty());
    }
    let sort = json!({"query": query, "sort": {"field": "name", "order": "desc"}});
    let answered = search(&sandbox, &sort).await;
    assert_eq!((answered.status, answered.errors()), (400, vec!["invalid_sort_order".to_owned()]));
    assert_eq!(
        answered.message(),
        "Invalid sort order 'desc'. Must be one of: ascending, descending"
    );
}

#[tokio::test]
async fn a_search_sorts_its_results() {
    let sandbox = people().await;
    let all = filter("external_id", "!=", Value::Null);
    for (sort, expected) in [
        (json!({"field": "name", "order": "ascending"}), ["lead", "ada", "bob"]),
        (json!({"field": "name", "order": "descending"}), ["bob", "ada", "lead"]),
        (json!({"field": "name"}), ["bob", "ada", "lead"]),
        (json!({"field": "custom_attributes.seats", "order": "ascending"}), ["lead", "bob", "ada"]),
        (
            json!({"field": "unsubscribed_from_emails", "order": "ascending"}),
            ["bob", "lead", "ada"],
        ),
        (json!(null), ["ada", "bob", "lead"]),
    ] {
        let body = json!({"query": all, "sort": sort});
        assert_eq!(external_ids(&search(&sandbox, &body).await), expected, "{sort}");
    }
}

#[tokio::test]
async fn a_sorted_search_is_followed_from_page_to_page() {
    let sandbox = Sandbox::start().await.unwrap();
    for (user, plan) in [("0", "b"), ("1", "a"), ("2", "b"), ("3", "a"), ("4", "b")] {
        let seed = SeedContact::user_id(user).with_custom_attribute("plan", plan);
        sandbox.add_contact(seed);
    }
    let mut pages = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let body = json!({
            "query": filter("role", "=", "user"),
            "sort": {"field": "custom_attributes.plan", "order": "ascending"},
            "pagination": {"per_page": 2, "starting_after": cursor},
        });
        let page = search(&sandbox, &body).await;
        assert_eq!(page.json()["total_count"], 5);
        assert_eq!(page.json()["pages"]["total_pages"], 3);
        assert_eq!(page.json()["pages"]["page"], pages.len() + 1);
        pages.push(external_ids(&page).join(" "));
        match next(&page) {
            Some(next) => cursor = next.into(),
            None => break,
        }
    }
    assert_eq!(pages, ["1 3", "0 2", "4"]);
}
