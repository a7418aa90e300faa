//! Every promise of an outbox, against random operations.

use std::time::Duration;

use intercom_delivery::conformance::{self, Profile};
use own_outbox::OwnOutbox;
use tokio::runtime::{Builder, Runtime};

fn paused() -> Runtime {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime can be made")
}

#[test]
fn an_outbox_of_ones_own_passes_the_conformance_suite() {
    conformance::run(&Profile::new(), async || OwnOutbox::new());
}

#[test]
fn an_outbox_of_ones_own_passes_the_admission_suite() {
    let advance = async |by: Duration| tokio::time::advance(by).await;
    // Nothing survives a crash, so an engine that ends hands the same outbox to the next.
    let crash = async |outbox: OwnOutbox| outbox;
    conformance::run_admission(64, &paused(), async || (OwnOutbox::new(), crash, advance));
}
