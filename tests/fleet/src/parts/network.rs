//! Faults of the network between the processes and PostgreSQL.

use std::time::Instant;

use intercom_core::DataEvent;
use intercom_delivery::outbox::{AcceptError, Outbox as _};
use intercom_postgres::PostgresOutbox;
use test_postgres::Stop;
use tests::Summary;
use tokio::runtime::Runtime;
use tokio::time::sleep;
use tokio_postgres::NoTls;

use super::{judged, rounds, server};
use crate::events::{Contacts, accepted};
use crate::pause::{PATIENCE, until};
use crate::process::Process;
use crate::proxy::{Mode, Proxy, SILENCE};
use crate::rig::{Rig, Setup, query};
use crate::worker::STANDS_BY;

/// Resets connections in the middle of commits: before a commit reaches the server, and before its
/// response comes back.
pub(super) fn commit(runtime: &Runtime, summary: &mut Summary) {
    let Some(server) = server("commit", &[], summary) else { return };
    let complaints = runtime.block_on(async {
        let proxy = Proxy::start(server.port()).await;
        let mut rig = Rig::start(Setup::new(&through(&proxy))).await;
        rig.start_processes(3).await;
        rig.arrive(40).await;
        rig.refuse(&server, 3).await;
        for cut in [Mode::CutBeforeCommit, Mode::CutAfterCommit].repeat(rounds(6)) {
            rig.disturb("the proxy cut a commit", async |rig| {
                let cuts = proxy.cuts();
                proxy.set(cut);
                let done = until(PATIENCE, || proxy.cuts() > cuts).await;
                rig.expect(done, "the proxy saw no commit to cut");
                rig.arrive(4).await;
            })
            .await;
        }
        rig.arrive(40).await;
        judged(rig, &server).await
    });
    summary.add("commit", &complaints);
}

/// Kills PostgreSQL before a commit reaches it. After its restart, PostgreSQL gives the number of
/// that transaction to another one.
pub(super) fn crash_in_commit(runtime: &Runtime, summary: &mut Summary) {
    // The long `wal_writer_delay` keeps uncommitted WAL off the disk, so the number is free after
    // the crash.
    let settings = [("wal_writer_delay", "10s")];
    let Some(mut server) = server("crash-in-commit", &settings, summary) else { return };
    let complaints = runtime.block_on(async {
        let proxy = Proxy::start(server.port()).await;
        let outbox = PostgresOutbox::builder(&through(&proxy)).timeout(PATIENCE).connect().await;
        let outbox = outbox.unwrap();
        proxy.set(Mode::SilentFromCommit);
        let accepting = tokio::spawn(async move { outbox.accept(&[event()]).await });
        let has_come = until(PATIENCE, || proxy.cuts() > 0).await;
        server.stop(Stop::Kill).unwrap();
        server.start_again().unwrap();
        let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        for _ in 0..TRANSACTIONS {
            client.batch_execute("SELECT pg_current_xact_id()").await.unwrap();
        }
        proxy.set(Mode::Pass);
        let accepted = accepting.await.unwrap();
        let events = query(&server, "SELECT count(*) FROM intercom.events");
        println!("       the outbox says {accepted:?}, and the table has {events} events");
        match (accepted, &events[..]) {
            _ if !has_come => vec!["no commit came".to_owned()],
            (Ok(()), "0") => vec!["the outbox accepted an event, and it is lost".to_owned()],
            (Err(error), "1") if !matches!(error, AcceptError::InDoubt(_)) => {
                vec![format!("the outbox refused an event, and it is stored: {error}")]
            }
            _ => Vec::new(),
        }
    });
    summary.add("crash-in-commit", &complaints);
}

/// Enough transactions to reach the number of the lost one.
const TRANSACTIONS: usize = 200;

fn event() -> DataEvent {
    accepted(1, Contacts::Own)
}

/// Nothing passes between the deliverer and PostgreSQL, and no connection is closed.
pub(super) fn half_open(runtime: &Runtime, summary: &mut Summary) {
    let Some(server) = server("half-open", &[], summary) else { return };
    let complaints = runtime.block_on(async {
        // The first process, which delivers, has its own proxy.
        let proxy = Proxy::start(server.port()).await;
        let mut rig = Rig::start(Setup::new(&server.url())).await;
        let cut_off = Setup { database: through(&proxy), ..rig.setup.clone() };
        rig.start_process(&cut_off);
        rig.start_processes(0).await;
        rig.start_processes(2).await;
        rig.arrive(40).await;
        let is_first = rig.deliverer() == Some(0);
        rig.expect(is_first, "the first process does not deliver");
        rig.refuse(&server, 3).await;
        rig.disturb("the proxy cut off the deliverer", async |rig| {
            let silent = Instant::now();
            proxy.set(Mode::Silent);
            rig.taken_over(0, silent).await;
            rig.arrive(20).await;
            sleep(SILENCE.saturating_sub(silent.elapsed())).await;
            proxy.set(Mode::Pass);
            let is_told = |process: &Process| process.said(STANDS_BY, Some(silent)).is_some();
            let told = until(PATIENCE, || is_told(&rig.processes[0])).await;
            rig.expect(told, "the cut-off process does not learn that another one took over");
        })
        .await;
        // It must go on accepting.
        rig.arrive_from(0).await;
        judged(rig, &server).await
    });
    summary.add("half-open", &complaints);
}

fn through(proxy: &Proxy) -> String {
    format!("postgres://postgres@127.0.0.1:{}/postgres", proxy.port())
}
