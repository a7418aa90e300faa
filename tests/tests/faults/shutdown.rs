//! Shutdowns during network faults.

use std::time::Duration;

use tokio::time::timeout;

use crate::proxy::Fault;
use crate::rig::{HANGS, LONG, Rig};

#[tokio::test]
async fn a_shutdown_keeps_its_deadline_where_every_connection_is_a_black_hole() {
    let mut good = 5;
    let rig = Rig::start(LONG, move || {
        let black_hole = good == 0;
        good -= u32::from(!black_hole);
        black_hole.then_some(Fault::BlackHole)
    })
    .await;
    rig.send(0..40).await;
    rig.sandbox.wait_for(5).await;

    let ended = rig.delivery.shutdown(Duration::from_millis(300));
    let report = timeout(HANGS, ended).await.unwrap();
    assert!(report.pending > 0, "{report}");
    assert_eq!(report.delivered + report.dead + report.pending, 40);
    let ledger = rig.delivery.ledger().await.unwrap();
    assert!(ledger.is_balanced(), "{ledger}");
    assert_eq!((ledger.accepted, ledger.pending), (40, report.pending));
}

#[tokio::test]
async fn a_shutdown_delivers_after_the_server_listens_again() {
    let mut rig = Rig::start(LONG, || None).await;
    rig.proxy.close().await;
    rig.send(0..20).await;
    rig.attempts.wait_for_failures(1).await;
    rig.proxy.open();
    // The shutdown begins during the outage, or shortly before it.
    rig.finish(20).await;
}
