use intercom_core::catalogue;

struct ProjectCreated;

catalogue! { static ACME: ProjectCreated }

fn main() {}
