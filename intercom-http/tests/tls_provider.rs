//! The TLS provider: the process's default, else that of the crate's features.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
#[test]
fn without_a_provider_building_says_what_to_do() {
    use intercom_http::{BuildError, HttpTransport};

    for url in ["https://api.intercom.io", "http://127.0.0.1:9000"] {
        let error = HttpTransport::builder("tok_1").base_url(url).build().unwrap_err();
        assert!(matches!(error, BuildError::NoTlsProvider), "{error}");
        assert!(error.to_string().contains("enable the feature `ring`"), "{error}");
    }
}

#[cfg(feature = "ring")]
mod shared {
    use std::sync::Arc;

    use intercom_core::{Contact, DataEvent, DynamicEvent, ErrorKind, Timestamp, Transport as _};
    use intercom_http::HttpTransport;
    use rustls::CipherSuite;
    use rustls::crypto::{CryptoProvider, ring};
    use rustls::server::Acceptor;
    use tokio::net::TcpListener;
    use tokio_rustls::LazyConfigAcceptor;

    /// Returns the groups that a transport offers in its TLS handshake.
    struct Offer {
        cipher_suites: Vec<CipherSuite>,
        protocols: Vec<Vec<u8>>,
    }

    /// Lets a new transport begin a handshake, and hangs up.
    async fn offer() -> Offer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await.unwrap();
            let hello = begun.client_hello();
            Offer {
                cipher_suites: hello.cipher_suites().to_vec(),
                protocols: hello.alpn().unwrap().map(<[u8]>::to_vec).collect(),
            }
        });
        let transport = HttpTransport::builder("tok_1").base_url(url).build().unwrap();
        let event = DynamicEvent::new("project_created").unwrap();
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        let event = DataEvent::new(&event, Contact::user_id(42), now).unwrap();
        let error = Arc::new(transport).send(event).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        serving.await.unwrap()
    }

    #[tokio::test]
    async fn the_applications_provider_is_shared_and_none_is_installed_without_it() {
        let own = offer().await;
        for suite in ring::default_provider().cipher_suites {
            assert!(own.cipher_suites.contains(&suite.suite()), "{:?}", own.cipher_suites);
        }
        assert_eq!(own.protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
        // If a library installed a provider, the application could no longer install its own.
        assert!(CryptoProvider::get_default().is_none());

        let only = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
        let mut installed = ring::default_provider();
        installed.cipher_suites.retain(|suite| suite.suite() == only);
        installed.install_default().unwrap();
        assert_eq!(offer().await.cipher_suites, [only]);
    }
}
