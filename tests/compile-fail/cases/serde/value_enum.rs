use intercom_core::MetadataValue;
use serde::Serialize;

#[derive(MetadataValue, Serialize)]
#[serde(rename_all = "snake_case")]
enum Plan {
    FreeTrial,
    #[serde(rename = "business")]
    Team,
    #[serde(skip)]
    Secret,
}

fn main() {}
