//! A killed import and its next runs give the result of a single run, because one transaction
//! stores events and checkpoint.

use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

use crate::rig::Rig;

/// Returns the bodies of the accepted events, in the order of their ids.
fn bodies(url: &str, schema: &str) -> Vec<String> {
    Runtime::new().unwrap().block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let select = format!("SELECT body::text FROM {schema}.events ORDER BY id");
        let rows = client.query(&select, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    })
}

#[test]
#[ignore = "starts a server"]
fn a_killed_import_into_postgresql_continues_to_the_same_result() {
    let server = test_postgres::Server::start().unwrap();
    let rig = Rig::new();
    let url = server.url();
    let import = |schema: &str| {
        let mut command = rig.command(&url);
        command.args(["--outbox-schema", schema]);
        command
    };
    let begun = Instant::now();
    let output = import("whole").output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    let took = begun.elapsed();
    for _ in 0..4 {
        let mut child =
            import("killed").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(200) + took.mul_f64(fastrand::f64()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    for _ in 0..2 {
        let output = import("killed").output().unwrap();
        assert_eq!(output.status.code(), Some(6), "{output:?}");
        assert!(bodies(&url, "killed") == bodies(&url, "whole"));
    }
}
