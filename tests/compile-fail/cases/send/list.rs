use intercom_core::{Contact, IntercomEvent, Tracker};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(user_id)]
    owner: u64,
}

fn report(tracker: &Tracker, events: Vec<ProjectCreated>) {
    drop(tracker.for_contact(Contact::user_id(42)).send(&events));
    drop(tracker.send(&events));
    drop(tracker.send(&[ProjectCreated { owner: 1 }]));
}

fn main() {}
