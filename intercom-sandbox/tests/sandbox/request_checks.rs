//! The checks that precede reading the body.

use intercom_sandbox::{Limits, Region, Sandbox};
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::admin::get;
use crate::support::{
    client, connect, event, finish, friendly, post_event, post_text, post_without_accept, raw,
    request,
};

#[tokio::test]
async fn an_accepted_event_is_answered_with_202_and_no_body() {
    let sandbox = friendly().await;
    let answered = post_event(&sandbox, &event("project_created")).await;
    assert_eq!((answered.status, answered.text.as_str()), (202, ""));
}

#[tokio::test]
async fn wrong_credentials_are_401() {
    let sandbox = friendly().await;
    let events = format!("{}/events", sandbox.url());
    let plain = || client().post(&events).body(event("project_created").to_string());
    for request in [
        plain(),
        plain().bearer_auth("another-token"),
        plain().bearer_auth(""),
        plain().basic_auth(sandbox.app_id(), Some("another-key")),
        plain().basic_auth(sandbox.api_key(), Some(sandbox.app_id())),
        plain().header("Authorization", sandbox.token()),
        plain().header("Authorization", format!("Token {}", sandbox.token())),
    ] {
        let answered = finish(request).await;
        assert_eq!(answered.status, 401);
        assert_eq!(answered.errors(), ["unauthorized"]);
    }
    assert!(sandbox.events().is_empty());
}

#[tokio::test]
async fn bearer_and_basic_credentials_are_accepted() {
    let sandbox = friendly().await;
    let me = format!("{}/me", sandbox.url());
    for request in [
        client().get(&me).bearer_auth(sandbox.token()),
        client().get(&me).header("Authorization", format!("bearer {}", sandbox.token())),
        client().get(&me).basic_auth(sandbox.app_id(), Some(sandbox.api_key())),
        // Intercom's client for Ruby sends the token so.
        client().get(&me).basic_auth(sandbox.token(), Some("")),
    ] {
        assert_eq!(finish(request).await.status, 200);
    }
}

#[tokio::test]
async fn credentials_can_be_chosen() {
    let sandbox =
        Sandbox::builder().token("t").app_id("a").api_key("k").start().await.expect("a free port");
    assert_eq!((sandbox.token(), sandbox.app_id(), sandbox.api_key()), ("t", "a", "k"));
    let me = format!("{}/me", sandbox.url());
    assert_eq!(finish(client().get(&me).bearer_auth("t")).await.status, 200);
    assert_eq!(finish(client().get(&me).basic_auth("a", Some("k"))).await.status, 200);
    assert_eq!(finish(client().get(&me).bearer_auth("sandbox-token")).await.status, 401);
}

#[tokio::test]
async fn me_returns_the_admin_and_its_app() {
    let sandbox = Sandbox::builder().app_id("abc123").region(Region::Eu).start().await.unwrap();
    let answered = finish(request(&sandbox, Method::GET, "/me")).await;
    assert_eq!(answered.status, 200);
    let me = answered.json();
    assert_eq!(me["type"], "admin");
    assert_eq!(me["app"]["type"], "app");
    assert_eq!(me["app"]["id_code"], "abc123");
    assert_eq!(me["app"]["region"], "EU");
    assert!(me["app"]["name"].is_string());
    assert!(me["app"]["timezone"].is_string());
    assert!(me["app"]["created_at"].is_u64());
    assert!(me["id"].is_string() && me["email"].is_string() && me["name"].is_string());
    assert_eq!(me["email_verified"], true);
    assert_eq!(me["has_inbox_seat"], true);
    assert_eq!(me["avatar"]["type"], "avatar");
    assert!(me["avatar"]["image_url"].is_string());
}

#[tokio::test]
async fn the_content_type_must_be_json() {
    let sandbox = friendly().await;
    let plain = || {
        client()
            .post(format!("{}/events", sandbox.url()))
            .bearer_auth(sandbox.token())
            .header("Accept", "application/json")
            .body(event("project_created").to_string())
    };
    for request in [
        plain(),
        plain().header("Content-Type", "text/plain"),
        plain().header("Content-Type", "application/x-www-form-urlencoded"),
        plain().header("Content-Type", "application/jsonp"),
    ] {
        let answered = finish(request).await;
        assert_eq!(answered.status, 415);
        assert_eq!(answered.errors(), ["unsupported_media_type"]);
    }
    for json in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        assert_eq!(finish(plain().header("Content-Type", json)).await.status, 202, "{json}");
    }
}

#[tokio::test]
async fn accept_must_allow_json() {
    let sandbox = friendly().await;
    let plain = || {
        client()
            .post(format!("{}/events", sandbox.url()))
            .bearer_auth(sandbox.token())
            .header("Content-Type", "application/json")
            .body(event("project_created").to_string())
    };
    for other in [
        "text/html",
        "application/xml, text/*",
        "application/jsonp",
        "application/vnd.intercom.3+xml",
    ] {
        let answered = finish(plain().header("Accept", other)).await;
        assert_eq!(answered.status, 406, "{other}");
        assert_eq!(answered.errors(), ["media_type_not_acceptable"]);
    }
    for json in [
        "application/json",
        "*/*",
        "application/*",
        "text/html, application/json;q=0.9",
        // The only value that Intercom's own client for Ruby sends.
        "application/vnd.intercom.3+json",
        "Application/vnd.Intercom.10+JSON",
    ] {
        assert_eq!(finish(plain().header("Accept", json)).await.status, 202, "{json}");
    }
}

#[tokio::test]
async fn a_request_without_accept_is_406() {
    let sandbox = friendly().await;
    let answer = post_without_accept(&sandbox, &event("project_created")).await;
    assert!(answer.starts_with("HTTP/1.1 406 "), "{answer}");
}

#[tokio::test]
async fn an_unknown_version_is_refused() {
    let sandbox = friendly().await;
    let with_version = |version: &str| {
        request(&sandbox, Method::POST, "/events")
            .header("Intercom-Version", version)
            .body(event("project_created").to_string())
    };
    for version in ["1.0", "1.4", "2.0", "2.6", "2.7", "2.10", "2.17", "Preview", "Unstable"] {
        assert_eq!(finish(with_version(version)).await.status, 202, "{version}");
    }
    for version in ["1.5", "2.18", "2", "2.", "3.0", "2.07", "2.+7", "latest", ""] {
        let answered = finish(with_version(version)).await;
        assert_eq!(answered.status, 400, "{version}");
        assert_eq!(answered.errors(), ["intercom_version_invalid"]);
    }
}

#[tokio::test]
async fn a_version_older_than_the_rules_is_taken_with_a_warning() {
    let sandbox = friendly().await;
    for (version, warned) in [("1.4", true), ("2.6", true), ("2.7", false), ("Preview", false)] {
        let request = request(&sandbox, Method::GET, "/me").header("Intercom-Version", version);
        assert_eq!(finish(request).await.status, 200, "{version}");
        let warnings = sandbox.requests().last().unwrap().warnings();
        assert_eq!(warnings.iter().any(|warning| warning.contains(version)), warned, "{version}");
        let listed = get(&sandbox, "/requests").await;
        let listed = listed["requests"].as_array().unwrap().last().unwrap()["warnings"].clone();
        assert_eq!(listed, serde_json::json!(warnings));
    }
}

#[tokio::test]
async fn a_compressed_body_gets_its_own_message() {
    let sandbox = friendly().await;
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00".to_vec();
    let plain = || request(&sandbox, Method::POST, "/events").body(gzip.clone());
    for (request, status) in [(plain(), 400), (plain().header("Content-Encoding", "gzip"), 415)] {
        let answered = finish(request).await;
        assert_eq!(answered.status, status);
        assert!(answered.message().contains("compressed"), "{}", answered.text);
    }
    let identity =
        request(&sandbox, Method::POST, "/events").header("Content-Encoding", "identity");
    let identity = identity.body(event("project_created").to_string());
    assert_eq!(finish(identity).await.status, 202);
}

#[tokio::test]
async fn half_of_a_surrogate_pair_gets_its_own_message() {
    let sandbox = friendly().await;
    for (name, half) in [
        (r"cut \ud83d", r"\ud83d"),
        (r"cut \uD83D here", r"\uD83D"),
        (r"late \ude00", r"\ude00"),
        (r"twice \ud83d\ud83d\ude00", r"\ud83d"),
    ] {
        let body = format!(r#"{{"event_name": "{name}", "created_at": 1, "user_id": "42"}}"#);
        let answered = post_text(&sandbox, body).await;
        assert_eq!((answered.status, answered.errors()), (400, vec!["bad_request".to_owned()]));
        let message = answered.message();
        assert!(message.contains(half) && message.contains("surrogate"), "{name}: {message}");
    }
    let whole = r#"{"event_name": "a \\ud83d \ud83d\ude00", "created_at": 1, "user_id": "42"}"#;
    assert_eq!(post_text(&sandbox, whole).await.status, 202);
    // An invalid escape gets another message than an unpaired surrogate.
    let answered = post_text(&sandbox, r#"{"event_name": "\u12"}"#).await;
    assert!(answered.message().contains("not JSON"), "{}", answered.text);
}

/// Most clients hide the answer, so the records matter.
#[tokio::test]
async fn tls_to_the_port_gets_its_own_code() {
    let sandbox = friendly().await;
    let mut stream = connect(&sandbox).await;
    let hello = b"\x16\x03\x01\x00\xc4\x01\x00\x00\xc0\x03\x03";
    stream.write_all(hello).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("tls_on_plain_port"), "{answer}");
    let requests = sandbox.requests();
    let [request] = &requests[..] else { panic!("one record: {requests:?}") };
    assert_eq!((request.method(), request.status()), ("TLS", Some(400)));
    let problem = &request.problems()[0];
    assert!(problem.message().contains("TLS"), "{problem:?}");
    assert!(problem.hint().unwrap().contains(sandbox.url()), "{problem:?}");
}

#[tokio::test]
async fn a_path_that_only_intercom_has_is_501() {
    let sandbox = friendly().await;
    for (method, path) in [
        (Method::GET, "/companies"),
        (Method::POST, "/conversations"),
        (Method::GET, "/data_attributes"),
        (Method::PUT, "/tickets/7"),
        (Method::DELETE, "/contacts/5ba6/companies/7"),
        (Method::POST, "/contacts/bulk/create"),
    ] {
        let answered = finish(request(&sandbox, method, path)).await;
        assert_eq!((answered.status, answered.errors()), (501, vec!["not_in_sandbox".to_owned()]));
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413() {
    let sandbox = Sandbox::builder()
        .know_everybody(true)
        .limits(Limits::default().body_limit(100))
        .start()
        .await
        .unwrap();
    let mut fits = event("project_created").to_string();
    fits += &" ".repeat(100 - fits.len());
    assert_eq!(post_text(&sandbox, fits.clone()).await.status, 202);

    let answered = post_text(&sandbox, fits + " ").await;
    assert_eq!(answered.status, 413);
    assert_eq!(answered.errors(), ["payload_too_large"]);
    assert_eq!(sandbox.events().len(), 1);

    // The body exceeds the socket buffers, and the answer arrives all the same.
    assert_eq!(post_text(&sandbox, " ".repeat(20 << 20)).await.status, 413);
}

#[tokio::test]
async fn a_body_in_many_pieces_arrives_whole() {
    let sandbox = friendly().await;
    let answer = raw(
        &sandbox,
        &format!(
            "POST /events HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Accept: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
             b\r\n{{\"user_id\":\r\n18\r\n\"42\",\"created_at\":1,\"eve\r\n\
             c\r\nnt_name\":\"a\"\r\n1\r\n}}\r\n0\r\n\r\n",
            sandbox.token()
        ),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    let body = br#"{"user_id":"42","created_at":1,"event_name":"a"}"#;
    assert_eq!(sandbox.events()[0].body(), body);
}

#[tokio::test]
async fn an_unknown_path_differs_from_an_unknown_contact() {
    let sandbox = friendly().await;
    for path in ["/event", "/events/", "/events/7", "/events/summaries/7", "/v2/events"] {
        let answered = finish(request(&sandbox, Method::POST, path)).await;
        assert_eq!(answered.status, 404, "{path}");
        assert_eq!(answered.errors(), ["api_path_not_found"]);
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_with_the_right_one() {
    let sandbox = friendly().await;
    for (method, path, allowed) in [
        (Method::PUT, "/events", "GET, POST"),
        (Method::GET, "/events/summaries", "POST"),
        (Method::DELETE, "/contacts", "GET, POST"),
        (Method::POST, "/me", "GET"),
    ] {
        let answered = finish(request(&sandbox, method, path)).await;
        assert_eq!(answered.status, 405, "{path}");
        assert_eq!(answered.header("allow"), Some(allowed));
        assert_eq!(answered.errors(), ["method_not_allowed"]);
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own() {
    let sandbox = friendly().await;
    let answers = [
        post_event(&sandbox, &event("project_created")).await,
        post_text(&sandbox, "nonsense").await,
        finish(request(&sandbox, Method::GET, "/nowhere")).await,
        finish(client().get(format!("{}/me", sandbox.url()))).await,
    ];
    let mut ids: Vec<_> =
        answers.iter().map(|answer| answer.header("x-request-id").expect("an id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), answers.len());
}

#[tokio::test]
async fn the_root_is_the_page_for_reads_alone() {
    let sandbox = friendly().await;
    let answered = finish(request(&sandbox, Method::POST, "/").body(event("a").to_string())).await;
    assert_eq!(
        (answered.status, &*answered.errors()),
        (404, &["api_path_not_found".to_owned()][..])
    );
    let hint = sandbox.requests()[0].problems()[0].hint().map(str::to_owned);
    assert!(hint.is_some_and(|hint| hint.contains("POST /events")));
}
