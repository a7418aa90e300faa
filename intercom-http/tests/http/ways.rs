//! Certificates, name servers and proxies between the transport and Intercom. Errors name what
//! refused the request.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use intercom_core::ErrorKind;
use intercom_http::HttpTransport;
use rcgen::{CertificateParams, CertifiedKey, DnType, KeyPair, date_time_ymd};
use reqwest::dns::{Name, Resolve, Resolving};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::environment;
use crate::server::{Server, answer};
use crate::{TOKEN, client_builder, event, send_by};

/// Sends an event to `TEST_URL`, and prints the error.
#[tokio::test]
#[ignore = "a test below runs it in a process"]
#[allow(clippy::print_stdout, reason = "the starting test reads its output")]
async fn send_to_the_url() {
    let url = std::env::var("TEST_URL").unwrap();
    let transport = HttpTransport::builder(TOKEN).base_url(url).build().unwrap();
    let error = send_by(&transport, event()).await.unwrap_err();
    let operator = error.needs_operator();
    println!("failed as {:?}, operator: {operator}, {error:?}", error.kind());
}

/// Returns the error of an event to this URL, in a process with these variables.
async fn failure(url: String, mut variables: Vec<(&'static str, String)>) -> String {
    variables.push(("TEST_URL", url));
    let sending = move || {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value as _)).collect();
        environment::run("ways::send_to_the_url", &variables)
    };
    let said = tokio::task::spawn_blocking(sending).await.unwrap();
    let failed = said.lines().find_map(|line| Some(line.split_once("failed as ")?.1));
    failed.unwrap_or_else(|| panic!("{said}")).to_owned()
}

/// Writes a certificate that a process can trust.
fn trusted(name: &str, certificate: &rcgen::Certificate) -> (&'static str, String) {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.pem"));
    fs::write(&file, certificate.pem()).unwrap();
    ("SSL_CERT_FILE", file.to_str().unwrap().to_owned())
}

fn certificate(change: impl FnOnce(&mut CertificateParams), host: &str) -> CertifiedKey<KeyPair> {
    let mut params = CertificateParams::new([host.to_owned()]).unwrap();
    // The verifier finds the authority by this name.
    params.distinguished_name.push(DnType::CommonName, host);
    change(&mut params);
    let signing_key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&signing_key).unwrap();
    CertifiedKey { cert, signing_key }
}

/// Starts a server with this certificate, and returns its URL. No client passes the handshake.
async fn serve(certified: &CertifiedKey<KeyPair>) -> String {
    let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let refused = acceptor.accept(stream).await;
            assert!(refused.is_err());
        }
    });
    url
}

const HERE: &str = "127.0.0.1";

#[tokio::test]
async fn an_untrusted_certificate_is_named_with_its_fault() {
    let good = certificate(|_| {}, HERE);
    let elsewhere = certificate(|_| {}, "elsewhere.example");
    let early = certificate(|params| params.not_before = date_time_ymd(2200, 1, 1), HERE);
    let late = certificate(|params| params.not_after = date_time_ymd(2001, 1, 1), HERE);
    for (name, served, trusting, fault, source) in [
        (
            "unknown",
            &good,
            &elsewhere,
            "is signed by an authority that this machine does not trust",
            "UnknownIssuer",
        ),
        ("elsewhere", &elsewhere, &elsewhere, "is another host's", "elsewhere.example"),
        ("early", &early, &early, "is not valid yet by this machine's clock", "not valid before"),
        ("late", &late, &late, "has expired by this machine's clock", "expired"),
    ] {
        let url = serve(served).await;
        let host = url.strip_prefix("https://").unwrap().to_owned();
        let said = failure(url, vec![trusted(name, &trusting.cert)]).await;
        assert!(said.starts_with("Certificate, operator: true"), "{said}");
        assert!(said.contains(&format!("that of {host} {fault}")), "{said}");
        assert!(said.contains(source), "{said}");
        // The sentence omits errors that say only that a send failed.
        assert!(!said.contains("client error") && !said.contains("error sending"), "{said}");
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_without_its_password() {
    let here = certificate(|_| {}, HERE);
    for (status, said_of_it) in [
        (407, "wants credentials (HTTP 407) before it connects to api.intercom.io"),
        (403, "does not connect to api.intercom.io"),
    ] {
        let proxy = Server::start([answer(status, &[], "<h1>No</h1>")]).await;
        let address = proxy.url().strip_prefix("http://").unwrap().to_owned();
        let variables = vec![
            trusted("proxied", &here.cert),
            ("HTTPS_PROXY", format!("http://ada:secret@{address}")),
        ];
        let said = failure("https://api.intercom.io".to_owned(), variables).await;
        assert!(said.starts_with("Proxy, operator: true"), "{said}");
        assert!(said.contains(&format!("the proxy {address} {said_of_it}")), "{said}");
        assert!(!said.contains("secret") && !said.contains("ada"), "{said}");
        assert_eq!(proxy.requests()[0].line(), "CONNECT api.intercom.io:443 HTTP/1.1");
    }
}

#[tokio::test]
async fn an_unreachable_proxy_is_named() {
    let here = certificate(|_| {}, HERE);
    // The socket holds the port, and nothing listens there.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let variables =
        vec![trusted("absent", &here.cert), ("HTTPS_PROXY", format!("http://{address}"))];
    let said = failure("https://api.intercom.io".to_owned(), variables).await;
    assert!(said.starts_with("Connection, operator: false"), "{said}");
    let way = format!("could not connect to api.intercom.io through the proxy {address}: ");
    assert!(said.contains(&way) && said.contains("refused"), "{said}");
}

/// A name server without entries.
struct Nobody;

impl Resolve for Nobody {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(async { Err("Name or service not known".into()) })
    }
}

#[tokio::test]
async fn an_unknown_host_name_is_reported_as_such() {
    let client = client_builder().dns_resolver(Arc::new(Nobody)).build().unwrap();
    let transport = HttpTransport::builder(TOKEN).client(client).build().unwrap();
    let error = send_by(&transport, event()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    let said = format!("{error:?}");
    assert!(said.contains("could not look up the address of api.intercom.io: "), "{said}");
    assert!(said.contains("Name or service not known"), "{said}");
}
