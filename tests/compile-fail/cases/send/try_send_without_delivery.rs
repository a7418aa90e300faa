use intercom_core::{Contact, DynamicEvent, Tracker, Transport};

fn report(http: impl Transport + 'static, event: &DynamicEvent) {
    let tracker = Tracker::new(http);
    let _ = tracker.for_contact(Contact::user_id(42)).try_send(event);
}

fn main() {}
