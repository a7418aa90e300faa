//! A web application that tells Intercom of each project made through it.
//!
//! ```sh
//! cargo run --example web_app            # sends itself one request, and ends
//! cargo run --example web_app -- 8080    # serves on this port until Ctrl-C
//! curl -X POST localhost:8080/projects -H 'content-type: application/json' \
//!      -d '{"owner": 42, "name": "Apollo"}'
//! ```
//!
//! It talks to a local Intercom of its own.

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use intercom_core::{IntercomEvent, Tracker};
use intercom_http::{HttpTransport, reqwest};
use intercom_sandbox::Sandbox;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// Somebody began a project. The event knows whose it is.
#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated<'a> {
    #[event(user_id)]
    owner: u64,
    project_id: u64,
    project_name: &'a str,
}

#[derive(Clone)]
struct App {
    tracker: Tracker,
    projects: Arc<AtomicU64>,
}

#[derive(Deserialize)]
struct NewProject {
    owner: u64,
    name: String,
}

#[derive(Serialize)]
struct Project {
    id: u64,
    name: String,
}

async fn create_project(
    State(app): State<App>,
    Json(new): Json<NewProject>,
) -> (StatusCode, Json<Project>) {
    let id = app.projects.fetch_add(1, Ordering::Relaxed) + 1;
    let event = ProjectCreated { owner: new.owner, project_id: id, project_name: &new.name };
    let sending = app.tracker.send(&event);
    // The answer does not wait for Intercom. The event is encoded already, so the task borrows nothing.
    tokio::spawn(async move {
        if let Err(error) = sending.await {
            eprintln!("{error}");
        }
    });
    (StatusCode::CREATED, Json(Project { id, name: new.name }))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = env::args().nth(1).map(|port| port.parse::<u16>()).transpose()?;

    let sandbox = Sandbox::builder().know_everybody(true).start().await?;
    let transport = HttpTransport::builder(sandbox.token()).base_url(sandbox.url()).build()?;
    let app = App { tracker: Tracker::new(transport), projects: Arc::default() };
    let router = Router::new().route("/projects", post(create_project)).with_state(app);
    let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0))).await?;
    let address = listener.local_addr()?;
    println!("serving on http://{address}, a local Intercom on {}", sandbox.url());
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        match port {
            // Without a port: until Intercom has heard of the one request that is sent below.
            None => {
                for event in sandbox.wait_for(1).await {
                    println!("received: {}", String::from_utf8_lossy(event.body()));
                }
            }
            Some(_) => drop(tokio::signal::ctrl_c().await),
        }
    });
    let serving = tokio::spawn(serving.into_future());

    if port.is_none() {
        // reqwest makes no client without a TLS provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let answer = reqwest::Client::new()
            .post(format!("http://{address}/projects"))
            .header("content-type", "application/json")
            .body(r#"{"owner": 42, "name": "Apollo"}"#)
            .send()
            .await?;
        println!("answer:   {} {}", answer.status(), answer.text().await?);
    }
    serving.await??;
    Ok(())
}
