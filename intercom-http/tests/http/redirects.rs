//! Redirects: never followed, never a success, and never a leak of the token.

use intercom_core::ErrorKind;
use intercom_http::HttpTransport;

use crate::server::{Reply, Server, answer};
use crate::{TOKEN, client_builder, event, send_by, transport};

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

fn redirect(status: u16, to: &str) -> Reply {
    answer(status, &[&format!("location: {to}")], "")
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in STATUSES {
        let elsewhere = Server::start([answer(200, &[], "")]).await;
        let to = format!("{}/events?session=s3cret", elsewhere.url());
        let server = Server::start([redirect(status, &to)]).await;

        let error = send_by(&transport(&server), event()).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::UnexpectedAnswer, Some(status)));
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("a redirect to 127.0.0.1") && !shown.contains("s3cret"), "{shown}");
        assert_eq!((server.requests().len(), elsewhere.requests().len()), (1, 0));
    }
}

#[tokio::test]
async fn a_client_that_follows_redirects_neither_loses_an_event_nor_shows_the_token() {
    for status in STATUSES {
        let elsewhere = Server::start([answer(200, &[], "")]).await;
        let to = format!("{}/events?session=s3cret", elsewhere.url());
        let server = Server::start([redirect(status, &to)]).await;

        let error = send_by(&following(&server), event()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedAnswer, "{status}: {error}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("redirect") && !shown.contains("s3cret"), "{shown}");

        assert_eq!(server.requests()[0].header("authorization"), [format!("Bearer {TOKEN}")]);
        let followed = elsewhere.requests();
        assert_eq!(followed.len(), 1, "the client follows: that is its own policy");
        assert!(!followed[0].head.contains(TOKEN), "{}", followed[0].head);
    }
}

#[tokio::test]
async fn a_followed_redirect_on_the_same_host_is_no_success_either() {
    let server = Server::start([redirect(302, "/login"), answer(200, &[], "")]).await;
    let error = send_by(&following(&server), event()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedAnswer);
    let lines: Vec<_> = server.requests().iter().map(|it| it.line().to_owned()).collect();
    assert_eq!(lines, ["POST /events HTTP/1.1", "GET /login HTTP/1.1"]);
}

#[tokio::test]
async fn a_redirect_that_cannot_be_followed_is_an_unexpected_answer() {
    // An endless redirect, until the client gives up.
    let server = Server::start([redirect(307, "/events?session=s3cret")]).await;
    let error = send_by(&following(&server), event()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedAnswer, "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
}

/// Returns a transport whose client has reqwest's own redirect policy.
fn following(server: &Server) -> HttpTransport {
    HttpTransport::builder(TOKEN)
        .base_url(server.url())
        .client(client_builder().build().unwrap())
        .build()
        .unwrap()
}
