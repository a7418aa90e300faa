use intercom_core::IntercomEvent;
use serde::{Serialize, Serializer};

#[derive(IntercomEvent, Serialize)]
#[event(name = "backup_finished")]
struct BackupFinished {
    #[serde(serialize_with = "in_minutes")]
    seconds: u64,
    #[serde(with = "hexadecimal")]
    #[event(rename = "checksum")]
    sum: u64,
}

fn in_minutes<S: Serializer>(seconds: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(seconds / 60)
}

mod hexadecimal {
    use serde::Serializer;

    pub fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{number:x}"))
    }
}

fn main() {}
