//! Nothing shows the token or the API key.

use intercom_http::{HttpTransport, HttpTransportBuilder, Region};

use crate::server::{Server, answer};
use crate::{TOKEN, client_builder, event, send_by};

const KEY: &str = "ro-0f1e2d3c4b5a";

#[test]
fn debug_shows_the_settings_and_no_secret() {
    let builders: [fn() -> HttpTransportBuilder; 2] =
        [|| HttpTransport::builder(TOKEN), || HttpTransport::basic_auth("app1", KEY)];
    for builder in builders {
        let builder = builder().region(Region::Eu).api_version("2.15");
        let before = format!("{builder:?} {builder:#?}");
        let transport = builder.build().unwrap();
        let after = format!("{transport:?} {transport:#?}");
        for shown in [&before, &after] {
            for secret in [TOKEN, KEY, "YXBwMTpyby0wZjFlMmQzYzRiNWE="] {
                assert!(!shown.contains(secret), "{shown}");
            }
            assert!(shown.contains("Eu") && shown.contains("2.15"), "{shown}");
        }
        assert!(after.contains("https://api.eu.intercom.io/"), "{after}");
    }
}

#[test]
fn a_refused_base_url_is_not_repeated() {
    for base_url in [
        "https://user:hunter2@proxy/",
        "https://proxy/?key=hunter2",
        "https://proxy/#hunter2",
        "hunter2",
        "ftp://hunter2/",
        "https://{hunter2}/",
    ] {
        let builder = HttpTransport::builder(TOKEN).base_url(base_url);
        let shown = format!("{builder:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        let error = builder.build().unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[tokio::test]
async fn errors_of_sending_show_no_secret() {
    for reply in [answer(401, &[], ""), answer(302, &["location: http://127.0.0.1:1/"], "")] {
        let server = Server::start([reply]).await;
        for client in [None, Some(client_builder().build().unwrap())] {
            let mut builder = HttpTransport::builder(TOKEN).base_url(server.url());
            if let Some(client) = client {
                builder = builder.client(client);
            }
            let error = send_by(&builder.build().unwrap(), event()).await.unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(TOKEN) && !shown.contains("ada@example.com"), "{shown}");
        }
    }
}
