//! Raises an event in one call, as the old API's clients did: a name, an email, and data that is known
//! only at run time, signed with an app id and an API key.
//!
//! ```sh
//! cargo run --example raise_event
//! cargo run --example raise_event -- invoice_paid ada@example.com amount=34999 paid_date=1700000000
//! ```
//!
//! Where an event's name and keys are known when you write the program, derive it instead: then the
//! compiler checks them. See `project_created`.

use std::env;
use std::error::Error;

use intercom_core::{Contact, DynamicEvent, Receipt, SendError, Tracker};
use intercom_http::HttpTransport;
use intercom_sandbox::Sandbox;
use serde_json::Value;

/// The one call.
async fn raise_event(
    tracker: &Tracker,
    event_name: &str,
    email: &str,
    extra: &[(String, Value)],
) -> Result<Receipt, SendError> {
    let mut event = DynamicEvent::new(event_name)?;
    for (key, value) in extra {
        event = event.with(key, value)?;
    }
    // The old clients sent the email as the user id too.
    let contact = Contact::user_id(email).with_email(email);
    tracker.for_contact(contact).send(&event).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "project_created".into());
    let email = arguments.next().unwrap_or_else(|| "ada@example.com".into());
    let mut extra = arguments.map(|argument| parse(&argument)).collect::<Result<Vec<_>, _>>()?;
    if extra.is_empty() {
        extra = vec![("project_id".into(), 7.into()), ("project_name".into(), "Apollo".into())];
    }

    let sandbox = Sandbox::builder().know_everybody(true).start().await?;
    let transport = HttpTransport::basic_auth(sandbox.app_id(), sandbox.api_key())
        .base_url(sandbox.url())
        .build()?;
    let tracker = Tracker::new(transport);

    let receipt = raise_event(&tracker, &name, &email, &extra).await?;
    println!("answer:   {}", receipt.status().unwrap_or_default());
    for event in sandbox.events() {
        println!("received: {}", String::from_utf8_lossy(event.body()));
    }

    // The rules of derived events hold here too, and are checked while the event is built.
    match raise_event(&tracker, &name, &email, &[("project.id".into(), 7.into())]).await {
        Ok(_) => Err("a key with a dot was taken".into()),
        Err(error) => {
            println!("refused:  {error}");
            Ok(())
        }
    }
}

/// `key=value`: a number, `true`, `false` or an object where the value is one in JSON, else text.
fn parse(argument: &str) -> Result<(String, Value), String> {
    let (key, value) = argument
        .split_once('=')
        .ok_or_else(|| format!("`{argument}` is not of the form key=value"))?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((key.to_owned(), value))
}
