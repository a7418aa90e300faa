use intercom_core::IntercomEvent;
use serde::Serialize;

#[derive(IntercomEvent, Serialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase")]
enum Project {
    #[event(name = "project_created")]
    Created { project_id: u64 },
    #[event(name = "project_renamed")]
    #[serde(rename_all = "PascalCase")]
    Renamed { new_name: String },
}

fn main() {}
