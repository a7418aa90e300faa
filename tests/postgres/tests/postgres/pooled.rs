//! Connections through PgBouncer in transaction mode, and over TLS.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use intercom_delivery::outbox::{Outbox, Standing};
use intercom_postgres::ConnectError;
use test_postgres::Server;

use super::support::{Engine, Place, accept, events};

/// PgBouncer with a pool of two sessions.
struct Pool {
    process: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Pool {
    /// Starts PgBouncer before the server at this URL, with more settings.
    fn before(url: &str, more: &str) -> Self {
        let server: u16 =
            url.rsplit_once(':').unwrap().1.split_once('/').unwrap().0.parse().unwrap();
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let (users, settings) = (folder.path().join("users"), folder.path().join("pool.ini"));
        fs::write(&users, "\"postgres\" \"\"\n").unwrap();
        let ini = format!(
            "[databases]\npostgres = host=127.0.0.1 port={server} user=postgres\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n\
             auth_file = {}\npool_mode = transaction\ndefault_pool_size = 2\nunix_socket_dir =\n\
             {more}\n",
            users.display()
        );
        fs::File::create(&settings).unwrap().write_all(ini.as_bytes()).unwrap();
        let mut command = Command::new("pgbouncer");
        // PgBouncer does not run as root.
        if let Some(user) = nix::unistd::User::from_name("postgres").unwrap()
            && nix::unistd::geteuid().is_root()
        {
            for path in [folder.path(), &users, &settings] {
                let (uid, gid) = (Some(user.uid.as_raw()), Some(user.gid.as_raw()));
                std::os::unix::fs::chown(path, uid, gid).unwrap();
            }
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        let process = command.arg(&settings).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.unwrap_or_else(|error| {
            panic!(
                "this test runs PgBouncer ({error}); install it with `apt-get install pgbouncer`"
            )
        });
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        Pool { process, url, _folder: folder }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn everything_but_notifications_works_through_pgbouncer() {
    let direct = Place::new();
    let pool = Pool::before(&direct.url, "");
    let place = Place { url: pool.url.clone(), ..direct.clone() };
    let builder = || place.builder().listen(false).poll_interval(Duration::from_millis(20));
    let (first, second) = (builder().connect().await.unwrap(), builder().connect().await.unwrap());
    let engine = Engine::begin(&first).await;
    let calls: Vec<_> = [&first, &second]
        .into_iter()
        .cycle()
        .take(20)
        .cloned()
        .map(|outbox| tokio::spawn(async move { outbox.accept(&events(3)).await }))
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    for _ in 0..3 {
        engine.deliver(20).await;
    }
    let counts = second.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.delivered, counts.pending), (60, 60, 0));
    first.release(engine.epoch()).await.unwrap();
    let engine = Engine::take_over(&second, Standing::Unknown).await;
    accept(&first, &events(1)).await;
    engine.deliver(1).await;
}

#[tokio::test]
async fn statements_have_names_only_in_a_session_of_the_outbox() {
    async fn work(url: &str) {
        let outbox = Place::on(url.to_owned()).builder().listen(false).connect().await.unwrap();
        let engine = Engine::begin(&outbox).await;
        for _ in 0..5 {
            accept(&outbox, &events(1)).await;
            engine.deliver(1).await;
        }
    }
    let server = Server::with(&[("fsync", "off"), ("log_statement", "all")]).unwrap();
    let count = |what: &str| server.log().matches(what).count();
    // The first refuses the setting by which a connection recognizes its session, and the second
    // ignores it.
    for settings in ["", "ignore_startup_parameters = options"] {
        let before = count("execute <unnamed>");
        work(&Pool::before(&server.url(), settings).url).await;
        assert!(count("execute <unnamed>") > before + 10);
        assert_eq!(count("execute s"), 0, "{settings}");
    }
    work(&server.url()).await;
    assert!(count("execute s") > 10);
}

/// The server has a self-signed certificate.
#[tokio::test]
async fn tls_certificates_are_checked_if_the_url_requires_it() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut server = Server::with(&[("fsync", "off")]).unwrap();
    let data = server.data();
    fs::write(data.join("server.crt"), made.cert.pem()).unwrap();
    fs::write(data.join("server.key"), made.signing_key.serialize_pem()).unwrap();
    for name in ["server.crt", "server.key"] {
        let path = data.join(name);
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let owner = fs::metadata(data.join("PG_VERSION")).unwrap();
        let (uid, gid) = (
            std::os::unix::fs::MetadataExt::uid(&owner),
            std::os::unix::fs::MetadataExt::gid(&owner),
        );
        std::os::unix::fs::chown(&path, Some(uid), Some(gid)).unwrap();
    }
    fs::write(data.join("postgresql.auto.conf"), "ssl = on\n").unwrap();
    fs::write(data.join("pg_hba.conf"), "hostssl all all all trust\n").unwrap();
    server.stop(test_postgres::Stop::Fast).unwrap();
    server.start_again().unwrap();

    // `sslmode=prefer` encrypts without checking the certificate.
    let place = Place::on(server.url());
    let outbox = place.open().await;
    accept(&outbox, &events(1)).await;
    let url = server.url().replace("127.0.0.1", "localhost");
    for mode in ["require", "verify-full"] {
        let place = Place { url: format!("{url}?sslmode={mode}"), ..place.clone() };
        let error = place.builder().connect().await.unwrap_err();
        assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains("certificate"), "{error}");
        // With the certificate as its own root.
        let mut roots = intercom_postgres::rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider =
            std::sync::Arc::new(intercom_postgres::rustls::crypto::ring::default_provider());
        let tls = intercom_postgres::rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let outbox = place.builder().tls(tls).connect().await.unwrap();
        assert_eq!(outbox.counts().await.unwrap().accepted, 1);
    }
    let plain = Place { url: format!("{url}?sslmode=disable"), ..place };
    plain.builder().connect().await.unwrap_err();
}
