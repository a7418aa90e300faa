use intercom_core::MetadataValue;
use serde::{Serialize, Serializer};

#[derive(MetadataValue, Serialize)]
struct Minutes(#[serde(serialize_with = "in_minutes")] u64);

fn in_minutes<S: Serializer>(seconds: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(seconds / 60)
}

#[derive(Clone, MetadataValue, Serialize)]
#[serde(into = "u64")]
struct Masked(String);

impl From<Masked> for u64 {
    fn from(masked: Masked) -> u64 {
        masked.0.len() as u64
    }
}

fn main() {}
