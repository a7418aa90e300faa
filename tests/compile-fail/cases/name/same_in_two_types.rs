use intercom_core::{IntercomEvent, assert_distinct_names};

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated;

#[derive(IntercomEvent)]
#[event(name = "PROJECT_CREATED")]
struct ProjectMade;

const _: () = assert_distinct_names(&[ProjectCreated::EVENTS, ProjectMade::EVENTS]);

fn main() {}
