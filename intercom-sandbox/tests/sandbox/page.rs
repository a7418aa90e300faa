//! The page as served: complete, self-contained, and protected by its headers.

use intercom_sandbox::Sandbox;

use crate::support::{Answered, client, finish, friendly, raw};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

async fn get(sandbox: &Sandbox, path: &str) -> Answered {
    finish(client().get(format!("{}{path}", sandbox.url()))).await
}

/// Returns the paths in a text, each between `before` and the next quotation mark.
fn mentioned<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next())
}

/// Returns the page and all its assets, by path.
async fn whole_page(sandbox: &Sandbox) -> Vec<(String, Answered)> {
    let page = get(sandbox, "/").await;
    let mut paths: Vec<_> = ["src=\"", "href=\""]
        .into_iter()
        .flat_map(|attribute| mentioned(&page.text, attribute))
        // A fragment of the page itself.
        .filter(|path| !path.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let mut whole = vec![("/".to_owned(), page)];
    while let Some(path) = paths.pop() {
        if whole.iter().any(|(known, _)| *known == path) {
            continue;
        }
        let asset = get(sandbox, &path).await;
        paths.extend(
            mentioned(&asset.text, "from \"./").map(|name| format!("/_sandbox/assets/js/{name}")),
        );
        whole.push((path, asset));
    }
    whole
}

#[tokio::test]
async fn the_sandbox_serves_every_file_of_the_page() {
    let sandbox = friendly().await;
    let whole = whole_page(&sandbox).await;
    assert!(whole.len() > 20, "the test finds the modules by their imports");
    for (path, answered) in &whole {
        assert_eq!(answered.status, 200, "{path}");
        assert!(
            path == "/" || path.starts_with("/_sandbox/assets/"),
            "{path} is the sandbox's own"
        );
        let kind = match path.rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(answered.header("content-type"), Some(kind), "{path}");
    }
    assert_eq!(sandbox.request_count(), 0, "reading the page is not recorded");
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let sandbox = friendly().await;
    for (path, answered) in whole_page(&sandbox).await {
        assert_eq!(answered.header("content-security-policy"), Some(POLICY), "{path}");
        assert_eq!(answered.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answered.header("referrer-policy"), Some("no-referrer"), "{path}");
        for sink in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "setHTML",
            "document.write",
            "DOMParser",
            "createContextualFragment",
            "eval(",
            "Function(",
            "style=\"",
            " onclick=\"",
            "<style",
            "<script>",
            "@import",
            "url(",
        ] {
            assert!(!answered.text.contains(sink), "{path} has {sink}");
        }
    }
}

#[tokio::test]
async fn a_browser_with_a_current_copy_gets_304() {
    let sandbox = friendly().await;
    for path in ["/", "/_sandbox/assets/js/main.js"] {
        let first = get(&sandbox, path).await;
        assert_eq!(first.header("cache-control"), Some("no-cache"));
        let tag = first.header("etag").expect("it has a tag").to_owned();
        for (known, status) in [
            (tag.clone(), 304),
            (format!("W/{tag}"), 304),
            (format!("\"other\", {tag}"), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            let request = client().get(format!("{}{path}", sandbox.url()));
            let again = finish(request.header("If-None-Match", &known)).await;
            assert_eq!(again.status, status, "{path} {known}");
            assert_eq!(again.text.is_empty(), status == 304);
            assert_eq!(again.header("etag"), Some(&*tag));
            assert_eq!(again.header("content-security-policy"), Some(POLICY));
        }
    }
}

#[tokio::test]
async fn the_page_refuses_other_machines() {
    let sandbox = friendly().await;
    for path in ["/", "/_sandbox/assets/js/main.js", "/_sandbox/feed", "/_sandbox/catalogue"] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
        let answer = raw(&sandbox, &request).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{path}: {answer}");
    }
}

#[tokio::test]
async fn an_unknown_asset_is_not_found() {
    let sandbox = friendly().await;
    let answered = get(&sandbox, "/_sandbox/assets/js/other.js").await;
    assert_eq!(answered.status, 404);
    assert!(answered.json()["error"].is_string());
}

#[tokio::test]
async fn the_page_does_not_contain_the_token() {
    let sandbox = Sandbox::builder().token("a-token-of-its-own").start().await.unwrap();
    for (path, answered) in whole_page(&sandbox).await {
        assert!(!answered.text.contains("a-token-of-its-own"), "{path}");
    }
}
