use intercom_core::{DynamicEvent, Tracker};

fn report(tracker: &Tracker, event: &DynamicEvent) {
    let _ = tracker.send(event);
}

fn main() {}
