use intercom_core::{IntercomEvent, MetadataValue};

#[derive(MetadataValue)]
struct Decimal(f64);

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    price: Decimal,
    due_date: Decimal,
}

fn main() {}
