//! A transaction that holds an old snapshot, so that PostgreSQL can remove no dead row.

use std::time::Instant;

use tests::Summary;
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

use super::{disturbed, rounds};

pub(super) fn part(runtime: &Runtime, summary: &mut Summary) {
    disturbed(runtime, summary, "snapshot", 3, async |rig, server| {
        let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.unwrap();
        // Delivery must go on, and move to another process, during the snapshot.
        rig.arrive(100 * rounds(1)).await;
        let Some(deliverer) = rig.deliverer() else { return };
        let number = rig.processes[deliverer].number;
        rig.disturb("the test killed the deliverer", async |rig| {
            rig.kill(deliverer);
            rig.taken_over(number, Instant::now()).await;
            rig.arrive(100).await;
        })
        .await;
        client.batch_execute("COMMIT").await.unwrap();
    });
}
