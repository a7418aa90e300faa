//! The handle of a running sandbox.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::answer::Answer;
use crate::builder::{SandboxBuilder, StartError};
use crate::contacts::{Contact, SeedContact};
use crate::event::ReceivedEvent;
use crate::request::ReceivedRequest;
use crate::workspace::Workspace;

/// A local Intercom that is running. Dropping it ends the server, closes every connection and
/// releases the port.
pub struct Sandbox {
    url: String,
    workspace: Arc<Workspace>,
    server: JoinHandle<()>,
}

impl Sandbox {
    /// Starts a sandbox on a free port of the loopback address, with every default of
    /// [`SandboxBuilder`]. No contact is known: events are answered with `404` until some are.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// Starts to build a sandbox that differs from the defaults.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::new()
    }

    pub(crate) fn new(
        address: SocketAddr,
        workspace: Arc<Workspace>,
        server: JoinHandle<()>,
    ) -> Self {
        Self { url: format!("http://{address}"), workspace, server }
    }

    /// The base URL, `http://127.0.0.1:PORT`, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The access token that is accepted.
    pub fn token(&self) -> &str {
        &self.workspace.credentials.token
    }

    /// The app id that is accepted over HTTP Basic, as the user name.
    pub fn app_id(&self) -> &str {
        &self.workspace.credentials.app_id
    }

    /// The API key that is accepted over HTTP Basic, as the password.
    pub fn api_key(&self) -> &str {
        &self.workspace.credentials.api_key
    }

    /// The accepted events in order of arrival, as far as they are
    /// [remembered](SandboxBuilder::keep_events).
    pub fn events(&self) -> Vec<ReceivedEvent> {
        self.workspace.journal.events()
    }

    /// How many events were accepted, the forgotten ones among them.
    pub fn event_count(&self) -> usize {
        self.workspace.journal.counts().events
    }

    /// Waits until this many events were accepted in all, and gives those that are remembered.
    pub async fn wait_for(&self, events: usize) -> Vec<ReceivedEvent> {
        let journal = &self.workspace.journal;
        journal.wait_until(|counts| counts.events >= events).await;
        journal.events()
    }

    /// Every request in order of arrival, whatever became of it, as far as they are
    /// [remembered](SandboxBuilder::keep_requests).
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.workspace.journal.requests()
    }

    /// How many requests came in, the forgotten ones among them.
    pub fn request_count(&self) -> usize {
        self.workspace.journal.counts().requests
    }

    /// Waits for requests of a higher [number](ReceivedRequest::number) than this, and gives those
    /// that are remembered. To follow all of them, ask again with the number of the last one.
    pub async fn requests_after(&self, number: usize) -> Vec<ReceivedRequest> {
        let journal = &self.workspace.journal;
        journal.wait_until(|counts| counts.requests > number).await;
        journal.requests_after(number)
    }

    /// Scripts the answer to the next request to `POST /events`. Several form a queue, one answer a
    /// request. Nothing of the request is checked, it spends no rate limit, and its event is not
    /// accepted even where the answer says so; it is among the [requests](Self::requests).
    pub fn answer_next(&self, answer: Answer) {
        self.workspace.script.push(answer);
    }

    /// How many scripted answers still wait for their request.
    pub fn pending_answers(&self) -> usize {
        self.workspace.script.len()
    }

    /// Makes a contact known from now on.
    pub fn add_contact(&self, contact: SeedContact) {
        self.workspace.contacts.add(contact, self.workspace.now());
    }

    /// All contacts: those it started with, those added, and those created over the API.
    pub fn contacts(&self) -> Vec<Contact> {
        self.workspace.contacts.all()
    }

    /// Forgets requests, events and their counts, and the scripted answers that are left. Contacts,
    /// active event names and the open rate-limit window stay.
    pub fn clear(&self) {
        self.workspace.script.clear();
        self.workspace.journal.clear();
    }

    /// Ends the sandbox as dropping it does, and waits until the port is released.
    pub async fn shutdown(mut self) {
        self.server.abort();
        // Aborted is how this task always ends.
        let _ = (&mut self.server).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.url).finish_non_exhaustive()
    }
}
