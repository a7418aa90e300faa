use std::time::Duration;

use intercom_core::IntercomEvent;

fn minutes(duration: &Option<Duration>) -> Option<u64> {
    duration.map(|duration| duration.as_secs() / 60)
}

#[derive(IntercomEvent)]
#[event(name = "backup_finished")]
struct BackupFinished {
    #[event(with = minutes)]
    lasted: Option<Duration>,
}

fn main() {}
