//! Outboxes that must pass.

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
fn behind_pointers() {
    let profile = Profile::new().cases(64);
    run(&profile, async || Arc::new(MemoryOutbox::new()));
    run(&profile, async || Arc::new(Arc::new(MemoryOutbox::new())));
}

#[test]
fn one_that_does_differently_all_that_may_be_done_differently() {
    run(&Profile::new().capacity(12), async || Different::new(MemoryOutbox::new().capacity(12)));
}

#[test]
fn one_whose_clock_goes_on_by_itself() {
    run(&Profile::new().cases(96), async || Ageing::new(MemoryOutbox::new()));
}

#[test]
fn in_a_runtime_of_ones_own_with_short_ticks() {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    let profile = Profile::new().tick(Duration::from_millis(10)).cases(64);
    run_with(&profile, &runtime, async || (MemoryOutbox::new(), tokio::time::advance));
}
