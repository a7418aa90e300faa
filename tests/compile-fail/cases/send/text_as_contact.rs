use intercom_core::{IntercomEvent, Tracker};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated;

fn report(tracker: &Tracker) {
    let _ = tracker.for_contact("ada@example.com").send(&ProjectCreated);
}

fn main() {}
