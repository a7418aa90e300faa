//! Failures of PostgreSQL.

use test_postgres::Stop;
use tests::Summary;
use tokio::runtime::Runtime;

use super::{disturbed, rounds};

/// Ends all of its processes by `kill -9`, and starts it again.
pub(super) fn crash(runtime: &Runtime, summary: &mut Summary) {
    end(runtime, summary, "crash", "the test killed PostgreSQL", Stop::Kill);
}

/// Stops it at once, without a checkpoint.
pub(super) fn immediate(runtime: &Runtime, summary: &mut Summary) {
    end(runtime, summary, "immediate", "the test stopped PostgreSQL at once", Stop::Immediate);
}

fn end(runtime: &Runtime, summary: &mut Summary, name: &str, why: &'static str, how: Stop) {
    disturbed(runtime, summary, name, 3, async |rig, server| {
        for _ in 0..rounds(2) {
            rig.disturb(why, async |rig| {
                server.stop(how).unwrap();
                server.start_again().unwrap();
                rig.arrive(40).await;
            })
            .await;
        }
    });
}
