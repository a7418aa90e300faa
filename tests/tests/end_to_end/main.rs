//! Events from the derive through real HTTP into the sandbox, which judges them by its own rules.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod answers;
mod contacts;
mod delivery;
mod judgement;
mod lock;
mod program;
mod reading;
mod values;

use intercom_core::Tracker;
use intercom_http::HttpTransport;
use intercom_sandbox::{Sandbox, SandboxBuilder};

/// Starts a sandbox, and a transport to it. The sandbox keeps every event, duplicates included, so
/// that the tests see each arrival.
async fn start(sandbox: SandboxBuilder) -> (Sandbox, HttpTransport) {
    let sandbox = sandbox.deduplicate(false).start().await.unwrap();
    let transport =
        HttpTransport::builder(sandbox.token()).base_url(sandbox.url()).build().unwrap();
    (sandbox, transport)
}

/// Starts a sandbox that knows every contact, and a tracker that sends to it.
async fn start_tracker() -> (Sandbox, Tracker) {
    let (sandbox, transport) = start(Sandbox::builder().know_everybody(true)).await;
    (sandbox, Tracker::new(transport))
}
