//! The handle of a running sandbox.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::answer::Answer;
use crate::contacts::{Contact, SeedContact};
use crate::faults::{ActiveFault, Fault, FaultId};
use crate::journal::JournalPosition;
use crate::received::{Outcome, ReceivedEvent, ReceivedRequest};
use crate::state::StateSaver;
use crate::workspace::Workspace;

/// A running local Intercom. Dropping the handle ends the server, closes every connection and
/// releases the port. It does not write the [state file](crate::SandboxBuilder::state_file):
/// [`shutdown`](Self::shutdown) does.
pub struct Sandbox {
    workspace: Arc<Workspace>,
    server: JoinHandle<()>,
    /// Writes the state file, if there is one.
    saver: Option<StateSaver>,
    /// The position in the journal after the requests from the state file.
    began_at: JournalPosition,
}

impl Sandbox {
    pub(crate) fn new(
        workspace: Arc<Workspace>,
        server: JoinHandle<()>,
        saver: Option<StateSaver>,
        began_at: JournalPosition,
    ) -> Self {
        Self { workspace, server, saver, began_at }
    }

    /// Returns the base URL, `http://127.0.0.1:PORT`, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.workspace.url
    }

    /// Returns the accepted access token.
    pub fn token(&self) -> &str {
        &self.workspace.apps.first().credentials.token
    }

    /// Returns the app id, which is the user name of HTTP Basic.
    pub fn app_id(&self) -> &str {
        &self.workspace.apps.first().credentials.app_id
    }

    /// Returns the API key, which is the password of HTTP Basic.
    pub fn api_key(&self) -> &str {
        &self.workspace.apps.first().credentials.api_key
    }

    /// Returns the [remembered](crate::Retention::keep_events) accepted events in order of arrival.
    /// Events that Intercom would ignore are in [`duplicates`](Self::duplicates) instead.
    pub fn events(&self) -> Vec<ReceivedEvent> {
        self.workspace.journal.events()
    }

    /// Returns the number of accepted events, including forgotten ones.
    pub fn event_count(&self) -> usize {
        self.workspace.journal.counts().events
    }

    /// Returns the names in the [lock](crate::SandboxBuilder::events_lock) of which the sandbox has
    /// accepted no event. The state file and [`clear`](Self::clear) keep the accepted names. The
    /// list is empty without a lock.
    pub fn never_sent(&self) -> Vec<String> {
        let lock = self.workspace.rules.lock.as_ref();
        lock.map_or_else(Vec::new, |lock| lock.others(&self.workspace.event_names.all()))
    }

    /// Waits until the sandbox has accepted this many events, and returns the remembered ones. The
    /// number includes forgotten events. This has no time limit.
    pub async fn wait_for(&self, events: usize) -> Vec<ReceivedEvent> {
        let journal = &self.workspace.journal;
        journal.wait_until(|counts| counts.events >= events).await;
        journal.events()
    }

    /// Returns the duplicates: the events that the sandbox ignored, because an earlier event has
    /// their contact, name and second. The list has only
    /// [remembered](crate::Retention::keep_requests) requests, in order of arrival.
    pub fn duplicates(&self) -> Vec<ReceivedEvent> {
        let requests = self.workspace.journal.requests();
        requests
            .iter()
            .filter(|request| request.outcome() == Outcome::Duplicate)
            .filter_map(ReceivedRequest::event)
            .collect()
    }

    /// Returns the number of ignored duplicates, including forgotten ones.
    pub fn duplicate_count(&self) -> usize {
        self.workspace.journal.counts().duplicates
    }

    /// Returns all [remembered](crate::Retention::keep_requests) requests in order of arrival,
    /// whatever their outcome.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.workspace.journal.requests()
    }

    /// Returns the number of requests, including forgotten ones.
    pub fn request_count(&self) -> usize {
        self.workspace.journal.counts().requests
    }

    /// Waits for requests with a higher [number](ReceivedRequest::number), and returns the
    /// remembered ones. To see every request, pass the number of the last one to the next call.
    /// This has no time limit.
    pub async fn requests_after(&self, number: usize) -> Vec<ReceivedRequest> {
        let journal = &self.workspace.journal;
        journal.wait_until(|counts| counts.requests > number).await;
        journal.requests_after(number)
    }

    /// Follows the requests, starting with the oldest remembered one. The follower survives a
    /// [clear](Self::clear), which restarts the numbers.
    pub fn follow(&self) -> Follower {
        Follower { workspace: Arc::clone(&self.workspace), position: JournalPosition::default() }
    }

    /// Follows the requests that this sandbox receives itself. Unlike [`follow`](Self::follow), the
    /// follower skips requests from the [state file](crate::SandboxBuilder::state_file).
    pub fn follow_new(&self) -> Follower {
        Follower { workspace: Arc::clone(&self.workspace), position: self.began_at }
    }

    /// Answers the next requests to `POST /events` with this answer, as
    /// [`answer_next`](Self::answer_next) does. A number is a status with its
    /// [usual body](Answer).
    ///
    /// ```
    /// # fn fail(sandbox: &intercom_sandbox::Sandbox) {
    /// sandbox.fail_next(3, 503);
    /// # }
    /// ```
    ///
    /// # Panics
    /// If a number is not a final status (200 to 599).
    pub fn fail_next(&self, requests: usize, answer: impl Into<Answer>) {
        self.inject(Fault::answer(answer).next(requests));
    }

    /// Scripts the answer to the next request to `POST /events`. Several answers form a queue, one
    /// for each request. The sandbox neither checks the request nor counts it in the rate limit,
    /// and does not accept the event, whatever the answer says. The request is in
    /// [`requests`](Self::requests).
    pub fn answer_next(&self, answer: Answer) {
        self.fail_next(1, answer);
    }

    /// Returns the number of scripted answers that wait for a request.
    pub fn pending_answers(&self) -> usize {
        self.workspace.faults.pending_answers(self.workspace.clock.now())
    }

    /// Activates a fault, and returns the number that [removes](Self::remove_fault) it.
    ///
    /// The sandbox tries faults that replace the answer in order of injection. The first that
    /// applies decides the answer, and later ones do not match the request. All other faults that
    /// apply work together.
    ///
    /// If a fault replaces the answer, the request's outcome is [`Outcome::Faulted`]. A fault after
    /// acceptance does not change the outcome. [`ReceivedRequest::fault`] names every fault that
    /// applied, even if the fault only changed the answer.
    ///
    /// # Panics
    /// If the fault contradicts itself: a [rate limit](Fault::rate_limit) cannot select single
    /// requests.
    pub fn inject(&self, fault: Fault) -> FaultId {
        self.workspace.inject(fault).id()
    }

    /// Returns the active faults in order of injection, and how often each applied. Faults that
    /// have matched all their requests, or whose time is over, are gone.
    pub fn faults(&self) -> Vec<ActiveFault> {
        self.workspace.faults.list(self.workspace.clock.now())
    }

    /// Removes a fault, and returns whether it was still active.
    pub fn remove_fault(&self, id: FaultId) -> bool {
        self.workspace.remove_faults(|fault| fault.id() == id) > 0
    }

    /// Removes all faults, including the remaining scripted answers.
    pub fn remove_faults(&self) {
        self.workspace.remove_faults(|_| true);
    }

    /// Returns the seed that decides to which requests a [percentage](Fault::percent) fault
    /// applies. A sandbox [started with this seed](crate::SandboxBuilder::seed) decides the same.
    pub fn seed(&self) -> u64 {
        self.workspace.faults.seed()
    }

    /// Adds a contact, and returns it with its contact id. The contact replaces one with the same
    /// contact id, and a user with the same user id.
    pub fn add_contact(&self, contact: SeedContact) -> Contact {
        self.workspace.contacts.add(contact, self.workspace.clock.now())
    }

    /// Returns the contact with this contact id (Intercom's own). For a merged contact, returns the
    /// contact into which it was merged.
    pub fn contact(&self, contact_id: &str) -> Option<Contact> {
        self.workspace.contacts.get(contact_id)
    }

    /// Returns the user with this user id (the application's own), unless the user is archived.
    pub fn user(&self, user_id: &str) -> Option<Contact> {
        self.workspace.contacts.user(user_id)
    }

    /// Returns all contacts, also archived ones, in the order in which the sandbox got them.
    /// Deleted and merged contacts are not in the list.
    pub fn contacts(&self) -> Vec<Contact> {
        self.workspace.contacts.all()
    }

    /// Forgets requests, events, submitted summaries and all counts. Removes the remaining scripted
    /// answers: faults that replace the answers to a [number of requests](Fault::next). Contacts,
    /// event names, the open rate-limit window and all other faults stay.
    pub fn clear(&self) {
        self.workspace.clear();
    }

    /// Ends the sandbox as dropping it does, waits until the port is free, and writes the state
    /// file. To see an error of that write, call [`save_state`](Self::save_state) first.
    pub async fn shutdown(mut self) {
        self.server.abort();
        // This task always ends as aborted.
        let _ = (&mut self.server).await;
        self.keep().await;
    }

    /// Ends the sandbox, and gives the requests in flight this time to finish. The sandbox accepts
    /// no more connections, ends streams to the page, and closes idle connections. After `timeout`
    /// it aborts the rest. Then it writes the state file. The handle still returns the received
    /// requests.
    pub async fn graceful_shutdown(&mut self, timeout: Duration) {
        self.workspace.closing.begin();
        if tokio::time::timeout(timeout, &mut self.server).await.is_err() {
            self.server.abort();
            let _ = (&mut self.server).await;
        }
        self.keep().await;
    }

    /// Writes the state file once more. Only [`save_state`](Self::save_state) reports an error.
    async fn keep(&self) {
        let _ = self.save_state().await;
    }

    /// Writes the state file now, if the builder [named one](crate::SandboxBuilder::state_file).
    ///
    /// # Errors
    /// If writing the file fails.
    pub async fn save_state(&self) -> io::Result<()> {
        match &self.saver {
            Some(saver) => saver.write().await,
            None => Ok(()),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.workspace.url).finish_non_exhaustive()
    }
}

/// Follows the requests of a sandbox: see [`Sandbox::follow`](crate::Sandbox::follow).
pub struct Follower {
    workspace: Arc<Workspace>,
    position: JournalPosition,
}

impl Follower {
    /// Waits for new requests, and returns the [remembered](crate::Retention::keep_requests) ones
    /// in order of arrival. Dropping the future loses no request. After the sandbox has ended and
    /// the follower has returned every request, this waits forever.
    pub async fn next(&mut self) -> Vec<ReceivedRequest> {
        self.workspace.journal.follow(&mut self.position).await
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("position", &self.position).finish_non_exhaustive()
    }
}
