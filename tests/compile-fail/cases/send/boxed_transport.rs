use intercom_core::{Tracker, Transport};

fn tracker(transport: Box<dyn Transport>) -> Tracker {
    Tracker::new(transport)
}

fn main() {}
