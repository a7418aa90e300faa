//! The primary dies, and its standby becomes the primary.

use std::collections::BTreeSet;
use std::time::Duration;

use test_postgres::{Server, Stop};
use tests::Summary;
use tokio::runtime::Runtime;
use tokio::time::sleep;

use super::server;
use crate::ledger::Ledger;
use crate::pause::{PATIENCE, until};
use crate::rig::{Rig, Setup, query};
use crate::verdict::Evidence;

/// The time between cutting off the standby and the death of the primary.
const CUT_OFF: Duration = Duration::from_millis(1_500);

/// The time in which processes record what they accepted.
const WRITTEN: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standby {
    /// The primary commits only after the standby has received the commit.
    Synchronous,
    /// The control: the standby loses events accepted while it was cut off, and the test must see
    /// that.
    Asynchronous,
}

pub(super) fn part(runtime: &Runtime, summary: &mut Summary) {
    if let Some((evidence, mut complaints, _)) = fail_over(runtime, summary, Standby::Synchronous) {
        complaints.extend(evidence.complaints());
        summary.add("failover to a synchronous standby", &complaints);
    }
    if let Some((evidence, mut complaints, before)) =
        fail_over(runtime, summary, Standby::Asynchronous)
    {
        // Most of these arrived before the failover.
        let accepted = evidence.ledger.accepted.len() as u64;
        let forgotten = accepted.saturating_sub(evidence.counts.accepted);
        if forgotten == 0 {
            complaints.push("nothing is lost, so the check proves nothing".to_owned());
        }
        // Events accepted after the failover arrive, although PostgreSQL assigns their ids a second
        // time.
        let lost_later = evidence.lost().iter().filter(|lost| !before.contains(lost)).count();
        if lost_later > 0 {
            complaints.push(format!("{lost_later} events accepted after the failover are lost"));
        }
        if evidence.counts.pending > 0 || !evidence.counts.is_balanced() {
            complaints.push(format!(
                "some of the remaining events are not delivered: {}",
                evidence.counts
            ));
        }
        println!(
            "       {forgotten} accepted events are missing on the new primary, {} never arrived",
            evidence.lost().len()
        );
        summary.add("control: failover to an asynchronous standby loses events", &complaints);
    }
}

/// Returns also the events accepted before the failover.
fn fail_over(
    runtime: &Runtime,
    summary: &mut Summary,
    kind: Standby,
) -> Option<(Evidence, Vec<String>, BTreeSet<u64>)> {
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
        let mut before = BTreeSet::new();
        rig.disturb("the primary failed", async |rig| {
            // From here on, only the primary has what processes accept, or they accept nothing.
            query(&standby, "ALTER SYSTEM SET primary_conninfo = ''");
            query(&standby, "SELECT pg_reload_conf()");
            sleep(CUT_OFF).await;
            if kind == Standby::Asynchronous {
                // More than the ids that a server logs ahead (32). Beyond those, the new primary
                // assigns ids again.
                rig.arrive(60).await;
            }
            primary.stop(Stop::Kill).unwrap();
            sleep(WRITTEN).await;
            before = Ledger::read(&rig.ledger()).accepted;
            standby.promote().unwrap();
            rig.arrive(60).await;
        })
        .await;
        let is_later = self::epoch(&standby) >= epoch;
        rig.expect(is_later, "the epoch decreased");
        rig.setup.database = standby.url();
        let (evidence, complaints) = rig.finish(&standby).await;
        (evidence, complaints, before)
    }))
}

fn epoch(server: &Server) -> u64 {
    query(server, "SELECT epoch FROM intercom.deliverer").parse().unwrap()
}
