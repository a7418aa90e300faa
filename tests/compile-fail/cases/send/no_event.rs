use intercom_core::{Contact, Tracker};

struct ProjectCreated {
    project_id: u64,
}

fn report(tracker: &Tracker) {
    let _ = tracker.for_contact(Contact::user_id(42)).send(&ProjectCreated { project_id: 7 });
}

fn main() {}
