//! The sandbox as a program: start it, point an application at it, and see what arrives.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program talks on its streams")]

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use intercom_sandbox::{ReceivedEvent, ReceivedRequest, Sandbox, SandboxBuilder, SeedContact};

/// A local Intercom to develop and test against.
#[derive(Parser)]
#[command(name = "intercom-sandbox")]
struct Arguments {
    /// Port on 127.0.0.1; 0 stands for any that is free
    #[arg(long, default_value_t = 4680)]
    port: u16,

    /// Access token to accept
    #[arg(long, default_value = "sandbox-token")]
    token: String,

    /// Accept events for any contact
    #[arg(long)]
    know_everybody: bool,

    /// Contact to know from the start, user_id=…, email=… or id=…; can be repeated
    #[arg(long = "contact", value_name = "KIND=VALUE", value_parser = parse_contact)]
    contacts: Vec<SeedContact>,

    /// Requests to allow in ten seconds
    #[arg(long, value_name = "REQUESTS")]
    rate_limit: Option<u32>,
}

impl Arguments {
    fn into_builder(self) -> SandboxBuilder {
        let mut builder = Sandbox::builder()
            .port(self.port)
            .token(self.token)
            .know_everybody(self.know_everybody);
        for contact in self.contacts {
            builder = builder.contact(contact);
        }
        match self.rate_limit {
            Some(requests) => builder.rate_limit(requests),
            None => builder,
        }
    }
}

fn parse_contact(text: &str) -> Result<SeedContact, String> {
    match text.split_once('=') {
        Some((_, "")) => Err("the value is empty".to_owned()),
        Some(("user_id", value)) => Ok(SeedContact::user_id(value)),
        Some(("email", value)) => Ok(SeedContact::email(value)),
        Some(("id", value)) => Ok(SeedContact::contact_id(value)),
        _ => Err("expected user_id=…, email=… or id=…".to_owned()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("intercom-sandbox: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let sandbox = arguments.into_builder().start().await?;
    let talk = async {
        greet(&sandbox);
        follow(&sandbox).await;
    };
    tokio::select! {
        // In this order Ctrl-C is listened for before the greeting tells of it.
        biased;
        stopped = tokio::signal::ctrl_c() => stopped?,
        () = talk => {}
    }
    println!("\nevents: {}, requests: {}", sandbox.event_count(), sandbox.request_count());
    sandbox.shutdown().await;
    Ok(())
}

fn greet(sandbox: &Sandbox) {
    let (url, token) = (sandbox.url(), sandbox.token());
    println!("Intercom sandbox on {url}");
    println!("access token: {token}");
    println!("try it:");
    println!(
        "  curl -i {url}/events -H 'Authorization: Bearer {token}' \
         -H 'Accept: application/json' -H 'Content-Type: application/json' \
         -d '{{\"event_name\":\"project_created\",\"created_at\":'$(date +%s)',\
         \"user_id\":\"42\",\"metadata\":{{\"project_name\":\"Apollo\"}}}}'"
    );
    println!("Ctrl-C ends it");
}

/// Prints every request as it comes, and never ends.
async fn follow(sandbox: &Sandbox) {
    let mut seen = 0;
    loop {
        for request in sandbox.requests_after(seen).await {
            seen = request.number();
            match request.event() {
                Some(event) => println!("{}", accepted(&event)),
                None => println!("{}", not_an_event(&request)),
            }
        }
    }
}

/// One line for an event that was accepted.
fn accepted(event: &ReceivedEvent) -> String {
    let contact =
        [("id", event.contact_id()), ("user_id", event.user_id()), ("email", event.email())];
    let mut line = format!("event {}", event.name());
    for (kind, value) in contact {
        if let Some(value) = value {
            line += &format!(" {kind}={value}");
        }
    }
    for (key, value) in event.metadata() {
        line += &format!(" {key}={value}");
    }
    if !event.dropped_keys().is_empty() {
        line += &format!(" (dropped: {})", event.dropped_keys().join(", "));
    }
    line
}

/// One line for any other request, with what was answered: that is where the reasons are.
fn not_an_event(request: &ReceivedRequest) -> String {
    let status = request.status().map_or_else(|| "no answer".to_owned(), |code| code.to_string());
    let answer = String::from_utf8_lossy(request.answer());
    format!("{} {} {status} {answer}", request.method(), request.path())
}
