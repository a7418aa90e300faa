use intercom_core::IntercomEvent;
use uuid::Uuid;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated<'a> {
    project_id: Uuid,
    parent_id: Option<uuid::Uuid>,
    homepage: &'a url::Url,
    price: rust_decimal::Decimal,
    due_date: chrono::NaiveDate,
    start_date: jiff::civil::Date,
    end_date: time::OffsetDateTime,
}

fn main() {}
