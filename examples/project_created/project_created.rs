//! Tells Intercom that somebody began a project.
//!
//! ```sh
//! cargo run --example project_created
//! ```
//!
//! It talks to a local Intercom of its own, and to the real one when `INTERCOM_ACCESS_TOKEN` is set
//! (and `INTERCOM_REGION`, if yours is not `us`).

use std::env;
use std::error::Error;

use intercom_core::{Contact, IntercomEvent, Tracker, Transport};
use intercom_http::HttpTransport;
use intercom_sandbox::Sandbox;

/// Somebody began a project.
#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    /// The number in the project's address.
    project_id: u64,
    /// What they called it.
    project_name: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (transport, sandbox) = connect().await?;

    // Intercom takes events of contacts that it knows.
    let ada = Contact::email("ada@example.com");
    let creation = transport.create_contact(&ada).await?;
    println!("contact:  {creation:?}");

    let tracker = Tracker::new(transport);
    let receipt = tracker
        .for_contact(ada.clone())
        .send(&ProjectCreated { project_id: 7, project_name: "Apollo".into() })
        .await?;
    println!("answer:   {}", receipt.status().unwrap_or_default());

    if let Some(sandbox) = sandbox {
        for event in sandbox.events() {
            println!("received: {}", String::from_utf8_lossy(event.body()));
        }
    }

    // A wrong value fails at once, before any I/O.
    let too_long = ProjectCreated { project_id: 8, project_name: "Apollo ".repeat(40) };
    match tracker.for_contact(ada).send(&too_long).await {
        Ok(_) => Err("a project name of 280 characters was taken".into()),
        Err(error) => {
            println!("refused:  {error}");
            Ok(())
        }
    }
}

/// The real Intercom, if there is a token for it; else a local one.
async fn connect() -> Result<(HttpTransport, Option<Sandbox>), Box<dyn Error>> {
    if env::var_os("INTERCOM_ACCESS_TOKEN").is_some_and(|token| !token.is_empty()) {
        let transport = HttpTransport::from_env()?;
        println!("sending to Intercom");
        return Ok((transport, None));
    }
    let sandbox = Sandbox::start().await?;
    println!("sending to a local Intercom at {}", sandbox.url());
    let transport = HttpTransport::builder(sandbox.token()).base_url(sandbox.url()).build()?;
    Ok((transport, Some(sandbox)))
}
