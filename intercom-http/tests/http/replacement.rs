//! Replaces credentials in a running transport.

use std::sync::Arc;

use intercom_core::{Contact, ErrorKind, SendError, Tracker, Transport as _};
use intercom_http::{BuildError, HttpTransport};
use tokio::sync::Barrier;

use crate::server::{Server, answer, error_list};
use crate::{TOKEN, event, send_by, transport};

const NEW_TOKEN: &str = "tok_bmV3ZXIgdG9rZW4x";
const KEY: &str = "ro-0f1e2d3c4b5a";

/// The Base64 text for the app id `app1` and [`KEY`].
const BASIC: &str = "YXBwMTpyby0wZjFlMmQzYzRiNWE=";

/// Returns the credentials of each request, in order of arrival.
fn credentials(server: &Server) -> Vec<String> {
    server.requests().iter().map(|request| request.header("authorization").join(", ")).collect()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn the_next_request_of_every_clone_carries_the_new_token() {
    let server = Server::start([answer(202, &[], "")]).await;
    let transport = transport(&server);
    let (earlier, tracked) = (transport.clone(), Tracker::new(transport.clone()));
    send_by(&transport, event()).await.unwrap();
    transport.clone().replace_token(NEW_TOKEN).unwrap();

    send_by(&transport, event()).await.unwrap();
    earlier.create_contact(&Contact::user_id(42)).await.unwrap();
    earlier.clone().verify().await.expect_err("the call has another response type");
    tracked.send_prepared(event()).await.unwrap();
    let [first, others @ ..] = &credentials(&server)[..] else { panic!("nothing was sent") };
    assert_eq!(*first, bearer(TOKEN));
    assert_eq!(others, [NEW_TOKEN; 4].map(bearer));
}

#[tokio::test]
async fn only_the_credentials_are_replaced() {
    let server = Server::start([answer(202, &[], "")]).await;
    let transport = transport(&server);
    send_by(&transport, event()).await.unwrap();
    transport.replace_token(NEW_TOKEN).unwrap();
    send_by(&transport, event()).await.unwrap();
    let [before, after] = &server.requests()[..] else { panic!("two events were sent") };
    assert_eq!(before.head.replace(TOKEN, NEW_TOKEN), after.head);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_token_replaces_basic_credentials_and_the_other_way_round() {
    let server = Server::start([answer(202, &[], "")]).await;
    let transport = HttpTransport::basic_auth("app1", KEY).base_url(server.url()).build().unwrap();
    send_by(&transport, event()).await.unwrap();
    transport.replace_token(TOKEN).unwrap();
    send_by(&transport, event()).await.unwrap();
    transport.replace_basic_auth("app1", KEY).unwrap();
    send_by(&transport, event()).await.unwrap();
    let basic = format!("Basic {BASIC}");
    assert_eq!(credentials(&server), [basic.clone(), bearer(TOKEN), basic]);
}

#[tokio::test]
async fn an_invalid_token_is_refused_and_the_old_one_stays() {
    let server = Server::start([answer(202, &[], "")]).await;
    let transport = transport(&server);
    let same = |replaced: Result<(), BuildError>, built: Result<HttpTransport, BuildError>| {
        let (refused, unbuilt) = (replaced.unwrap_err(), built.unwrap_err());
        assert_eq!(format!("{refused} {refused:?}"), format!("{unbuilt} {unbuilt:?}"));
        assert!(!refused.to_string().contains("tok_"), "{refused}");
    };
    for token in ["", " \n", "tok_2\n", "tok_2\r\nX-Evil: 1", "Bearer tok_2", "tok\u{0}2", "tök_2"]
    {
        same(transport.replace_token(token), HttpTransport::builder(token).build());
    }
    for (app_id, key) in [("", "key"), ("app", " "), ("app:key", "key"), ("app", "key\n")] {
        let built = HttpTransport::basic_auth(app_id, key).build();
        same(transport.replace_basic_auth(app_id, key), built);
    }
    send_by(&transport, event()).await.unwrap();
    assert_eq!(credentials(&server), [bearer(TOKEN)]);
}

/// A request of a transport.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Event,
    Contact,
    Workspace,
}

async fn refusal(transport: HttpTransport, asked: Asked) -> SendError {
    match asked {
        Asked::Event => send_by(&transport, event()).await.unwrap_err(),
        Asked::Contact => transport.create_contact(&Contact::user_id(42)).await.unwrap_err(),
        Asked::Workspace => transport.verify().await.unwrap_err(),
    }
}

#[tokio::test]
async fn a_response_is_redacted_by_the_credentials_of_its_request() {
    type Replace = fn(&HttpTransport) -> Result<(), BuildError>;
    let token: Replace = |transport| transport.replace_token(NEW_TOKEN);
    let basic: Replace = |transport| transport.replace_basic_auth("app1", KEY);
    for asked in [Asked::Event, Asked::Contact, Asked::Workspace] {
        for (replace, secret) in [(token, NEW_TOKEN), (basic, BASIC)] {
            let barrier = Arc::new(Barrier::new(2));
            let repeat =
                |secret| error_list(401, secret, &format!("The token {secret} is invalid"));
            let server = Server::start([repeat(TOKEN).held(&barrier), repeat(secret)]).await;
            let transport = transport(&server);

            let under_way = tokio::spawn(refusal(transport.clone(), asked));
            barrier.wait().await;
            replace(&transport).unwrap();
            barrier.wait().await;
            let afterwards = [under_way.await.unwrap(), refusal(transport.clone(), asked).await];

            for error in afterwards {
                assert_eq!(error.kind(), ErrorKind::Unauthorized);
                let [answer] = error.api_errors() else { panic!("expected one error: {error:?}") };
                assert_eq!(answer.code, "[secret]");
                assert_eq!(answer.message.as_deref(), Some("The token [secret] is invalid"));
                shows_no_secret(&format!("{error} {error:?} {error:#?}"));
            }
            assert_eq!(credentials(&server)[0], bearer(TOKEN));
            assert!(credentials(&server)[1].ends_with(secret));
        }
    }
}

#[test]
fn debug_shows_neither_the_old_credentials_nor_the_new() {
    let transport = HttpTransport::builder(TOKEN).build().unwrap();
    let before = format!("{transport:?} {transport:#?}");
    transport.replace_token(NEW_TOKEN).unwrap();
    shows_no_secret(&format!("{transport:?} {transport:#?}"));
    transport.replace_basic_auth("app1", KEY).unwrap();
    let after = format!("{transport:?} {transport:#?}");
    shows_no_secret(&after);
    assert_eq!(before, after);
}

fn shows_no_secret(shown: &str) {
    for secret in [TOKEN, NEW_TOKEN, KEY, BASIC] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
