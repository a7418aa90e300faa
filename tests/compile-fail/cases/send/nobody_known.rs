use intercom_core::{IntercomEvent, Tracker};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    project_id: u64,
}

fn report(tracker: &Tracker) {
    let _ = tracker.send(&ProjectCreated { project_id: 7 });
}

fn main() {}
