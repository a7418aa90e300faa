//! Outboxes that must pass the suite.

use std::sync::Arc;
use std::time::Duration;

use intercom_delivery::MemoryOutbox;
use intercom_delivery::conformance::{Profile, run, run_with};
use tokio::runtime::Builder;

use super::different::{Ageing, Different};

#[test]
fn memory() {
    run(&Profile::new(), async || MemoryOutbox::new());
}

#[test]
fn memory_that_is_often_full() {
    run(&Profile::new().capacity(12), async || MemoryOutbox::new().capacity(12));
    run(&Profile::new().capacity(3), async || MemoryOutbox::new().capacity(3));
}

#[test]
fn an_outbox_behind_pointers_conforms() {
    let profile = Profile::new().cases(64);
    run(&profile, async || Arc::new(MemoryOutbox::new()));
    run(&profile, async || Arc::new(Arc::new(MemoryOutbox::new())));
}

#[test]
fn an_outbox_that_differs_wherever_it_may_conforms() {
    run(&Profile::new().capacity(12), async || Different::new(MemoryOutbox::new().capacity(12)));
}

#[test]
fn an_outbox_with_a_real_clock_conforms() {
    run(&Profile::new().cases(96), async || Ageing::new(MemoryOutbox::new()));
}

#[test]
fn the_suite_runs_in_a_custom_runtime_with_short_ticks() {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    let profile = Profile::new().tick(Duration::from_millis(10)).cases(64);
    run_with(&profile, &runtime, async || (MemoryOutbox::new(), tokio::time::advance));
}
