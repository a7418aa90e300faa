//! Access to the admin API.

use std::net::Ipv4Addr;

use intercom_sandbox::{Outcome, Sandbox};
use reqwest::Method;

use crate::admin::{admin, get, refused};
use crate::support::{client, client_builder, event, finish, friendly, post_event, raw};

#[tokio::test]
async fn the_admin_api_is_not_recorded_or_counted() {
    let sandbox = Sandbox::builder().rate_limit(1).know_everybody(true).start().await.unwrap();
    for _ in 0..3 {
        get(&sandbox, "/state").await;
    }
    assert_eq!(sandbox.request_count(), 0);
    assert_eq!(post_event(&sandbox, &event("a")).await.status, 202);
    assert_eq!(sandbox.requests()[0].outcome(), Outcome::Accepted);
}

#[tokio::test]
async fn another_host_name_is_refused() {
    let sandbox = friendly().await;
    let ask = async |host: &str| {
        let request = format!("GET /_sandbox/state HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        let answer = raw(&sandbox, &request).await;
        answer.split(' ').nth(1).map(str::to_owned).expect("a status")
    };
    for host in
        ["localhost", "LOCALHOST:4680", "127.0.0.1", "127.0.0.1:1", "127.1.2.3", "[::1]:4680"]
    {
        assert_eq!(ask(&format!("Host: {host}\r\n")).await, "200", "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:4680",
        "10.0.0.1",
        "0.0.0.0",
        "[::2]",
        "",
    ] {
        assert_eq!(ask(&format!("Host: {host}\r\n")).await, "403", "{host}");
    }
    assert_eq!(ask("").await, "403", "no host at all");
}

#[tokio::test]
async fn a_foreign_web_page_is_refused() {
    let sandbox = friendly().await;
    let port = sandbox.url().rsplit_once(':').unwrap().1;
    for origin in [
        "http://evil.example".to_owned(),
        "null".to_owned(),
        "http://127.0.0.1".to_owned(),
        "http://127.0.0.1:1".to_owned(),
        format!("https://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let request = admin(&sandbox, method, "/faults").header("Origin", &origin);
            let error = refused(request, 403).await;
            assert_eq!(error, "a web page of another origin may not use this", "{origin}");
        }
    }
    let own = admin(&sandbox, Method::GET, "/faults").header("Origin", sandbox.url());
    assert_eq!(finish(own).await.status, 200);
}

#[tokio::test]
async fn a_change_needs_the_json_content_type() {
    let sandbox = friendly().await;
    sandbox.fail_next(1, 503);
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        for (method, path) in
            [(Method::POST, "/clear"), (Method::DELETE, "/faults"), (Method::POST, "/faults")]
        {
            let mut request =
                client().request(method, format!("{}/_sandbox{path}", sandbox.url())).body("{}");
            if let Some(content_type) = content_type {
                request = request.header("Content-Type", content_type);
            }
            let error = refused(request, 415).await;
            assert!(error.contains("`Content-Type: application/json`"), "{error}");
        }
    }
    assert_eq!(sandbox.pending_answers(), 1);
    let request = client().delete(format!("{}/_sandbox/faults", sandbox.url()));
    let request = request.header("Content-Type", "application/json; charset=utf-8");
    assert_eq!(finish(request).await.status, 200);
}

#[tokio::test]
async fn a_wrong_path_or_method_is_refused() {
    let sandbox = friendly().await;
    let error = refused(admin(&sandbox, Method::GET, "/fault"), 404).await;
    assert!(error.starts_with("there is no `/_sandbox/fault`"), "{error}");
    let error = refused(admin(&sandbox, Method::POST, "/state"), 405).await;
    assert!(error.starts_with("`/_sandbox/state` does not take POST"), "{error}");
    assert_eq!(sandbox.request_count(), 0);
}

#[tokio::test]
async fn http_2_is_guarded_by_its_own_host() {
    let sandbox = friendly().await;
    let client = client_builder().http2_prior_knowledge().build().unwrap();
    let state = client.get(format!("{}/_sandbox/state", sandbox.url())).send().await.unwrap();
    assert_eq!((state.status().as_u16(), state.version()), (200, reqwest::Version::HTTP_2));
    let address = sandbox.url().strip_prefix("http://").unwrap().parse().unwrap();
    let client =
        client_builder().http2_prior_knowledge().resolve("evil.example", address).build().unwrap();
    let port = address.port();
    let state = client.get(format!("http://evil.example:{port}/_sandbox/state")).send().await;
    assert_eq!(state.unwrap().status(), 403);
}

#[tokio::test]
async fn an_allowed_name_is_accepted() {
    let builder = Sandbox::builder().listen(Ipv4Addr::UNSPECIFIED).know_everybody(true);
    let sandbox = builder.allow_host("sandbox").allow_host("10.0.0.7").start().await.unwrap();
    assert!(sandbox.url().starts_with("http://127.0.0.1:"), "the name resolves to this machine");
    let ask = async |host: &str, origin: &str| {
        let request = format!(
            "GET /_sandbox/health HTTP/1.1\r\nHost: {host}\r\n{origin}Connection: close\r\n\r\n"
        );
        let answer = raw(&sandbox, &request).await;
        answer.split(' ').nth(1).map(str::to_owned).expect("a status")
    };
    for host in ["sandbox", "SANDBOX:4680", "10.0.0.7:80", "localhost"] {
        assert_eq!(ask(host, "").await, "200", "{host}");
    }
    for host in ["sandbox.evil.example", "10.0.0.70", "evil.example"] {
        assert_eq!(ask(host, "").await, "403", "{host}");
    }
    assert_eq!(ask("sandbox:4680", "Origin: http://sandbox:4680\r\n").await, "200");
    assert_eq!(ask("sandbox:4680", "Origin: http://evil.example\r\n").await, "403");
}

#[tokio::test]
async fn the_next_page_has_the_requested_host() {
    let sandbox = friendly().await;
    let now = jiff::Timestamp::now().as_second();
    for age in 0..2 {
        let mut body = event("a");
        body["created_at"] = (now - age).into();
        assert_eq!(post_event(&sandbox, &body).await.status, 202);
    }
    let token = sandbox.token();
    let request = format!(
        "GET /events?type=user&user_id=42&per_page=1 HTTP/1.1\r\nHost: sandbox:4680\r\n\
         Authorization: Bearer {token}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    let answer = raw(&sandbox, &request).await;
    assert!(answer.contains(r#""next":"http://sandbox:4680/events?"#), "{answer}");
}
