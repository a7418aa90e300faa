//! The primary dies, and its standby becomes the primary.

use std::time::Duration;

use test_postgres::{Server, Stop};
use tokio::runtime::Runtime;
use tokio::time::sleep;

use super::server;
use crate::pause::{PATIENCE, until};
use crate::rig::{Rig, Setup, query};
use crate::summary::Summary;
use crate::verdict::Evidence;

/// For how long the standby is cut off before the primary dies.
const CUT_OFF: Duration = Duration::from_millis(1_500);

/// How long the control waits for what can be delivered.
const CONTROL: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standby {
    /// The primary commits only what the standby has.
    Synchronous,
    /// The control: it loses what was accepted while it was cut off, which must be seen.
    Asynchronous,
}

pub(super) fn part(runtime: &Runtime, summary: &mut Summary) {
    if let Some((evidence, mut complaints)) = fail_over(runtime, summary, Standby::Synchronous) {
        complaints.extend(evidence.complaints());
        summary.add("failover to a synchronous standby", &complaints);
    }
    if let Some((evidence, mut complaints)) = fail_over(runtime, summary, Standby::Asynchronous) {
        if evidence.lost().is_empty() {
            complaints.push("nothing is lost, so the judgement proves nothing".to_owned());
        }
        println!(
            "       {} events were accepted and are lost, as they must be",
            evidence.lost().len()
        );
        summary.add("control: failover to an asynchronous standby loses events", &complaints);
    }
}

fn fail_over(
    runtime: &Runtime,
    summary: &mut Summary,
    kind: Standby,
) -> Option<(Evidence, Vec<String>)> {
    let mut primary = server("failover", &[], summary)?;
    let standby = match primary.standby("standby") {
        Ok(standby) => standby,
        Err(error) => {
            summary.skip("failover", &error.to_string());
            return None;
        }
    };
    Some(runtime.block_on(async {
        let replicates = || query(&primary, "SELECT count(*) FROM pg_stat_replication") == "1";
        let is_there = until(PATIENCE, replicates).await;
        if kind == Standby::Synchronous {
            query(&primary, "ALTER SYSTEM SET synchronous_standby_names = '*'");
            query(&primary, "SELECT pg_reload_conf()");
        }
        let both = format!(
            "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres",
            primary.port(),
            standby.port()
        );
        let mut rig = Rig::start(Setup::new(&both)).await;
        rig.expect(is_there, "the standby does not replicate");
        rig.start_processes(3).await;
        rig.arrive(60).await;
        let epoch = epoch(&primary);
        rig.disturb("the primary failed", async |rig| {
            // What is accepted from now on is on the primary alone, or is not accepted.
            query(&standby, "ALTER SYSTEM SET primary_conninfo = ''");
            query(&standby, "SELECT pg_reload_conf()");
            sleep(CUT_OFF).await;
            primary.stop(Stop::Kill).unwrap();
            standby.promote().unwrap();
            rig.arrive(60).await;
        })
        .await;
        let is_later = self::epoch(&standby) >= epoch;
        rig.expect(is_later, "the epoch went back");
        rig.setup.database = standby.url();
        if kind == Standby::Asynchronous {
            // Ids went back with what was lost, and the control looks at nothing else.
            rig.patience = CONTROL;
        }
        rig.finish(&standby).await
    }))
}

fn epoch(server: &Server) -> u64 {
    query(server, "SELECT epoch FROM intercom.deliverer").parse().unwrap()
}
