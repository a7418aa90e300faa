use std::io;

use intercom_core::testing::RecordingTransport;
use intercom_delivery::{Delivery, MemoryOutbox};

fn open() -> Result<MemoryOutbox, io::Error> {
    Ok(MemoryOutbox::new())
}

fn configure() {
    drop(Delivery::builder(RecordingTransport::new()).outbox(open()));
}

fn main() {}
