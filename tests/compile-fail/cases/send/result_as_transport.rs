use intercom_core::{Tracker, testing::RecordingTransport};

fn tracker(transport: Result<RecordingTransport, std::env::VarError>) -> Tracker {
    Tracker::new(transport)
}

fn main() {}
