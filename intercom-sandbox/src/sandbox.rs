//! The handle of a running sandbox.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::answer::Answer;
use crate::contacts::{Contact, SeedContact};
use crate::faults::{ActiveFault, Fault, FaultId};
use crate::journal::Place;
use crate::received::{Outcome, ReceivedEvent, ReceivedRequest};
use crate::state::Keeper;
use crate::workspace::Workspace;

/// A local Intercom that is running. Dropping it ends the server, closes every connection and
/// releases the port.
pub struct Sandbox {
    workspace: Arc<Workspace>,
    server: JoinHandle<()>,
    /// Writes the state file, where there is one.
    keeper: Option<Keeper>,
    /// Behind the requests that came out of the state file.
    began_at: Place,
}

impl Sandbox {
    pub(crate) fn new(
        workspace: Arc<Workspace>,
        server: JoinHandle<()>,
        keeper: Option<Keeper>,
        began_at: Place,
    ) -> Self {
        Self { workspace, server, keeper, began_at }
    }

    /// The base URL, `http://127.0.0.1:PORT`, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.workspace.url
    }

    /// The access token that is accepted.
    pub fn token(&self) -> &str {
        &self.workspace.apps.first().credentials.token
    }

    /// The app id that is accepted over HTTP Basic, as the user name.
    pub fn app_id(&self) -> &str {
        &self.workspace.apps.first().credentials.app_id
    }

    /// The API key that is accepted over HTTP Basic, as the password.
    pub fn api_key(&self) -> &str {
        &self.workspace.apps.first().credentials.api_key
    }

    /// The accepted events in order of arrival, as far as they are
    /// [remembered](crate::Retention::keep_events). Those that Intercom would have ignored are not
    /// among them, but are the [duplicates](Self::duplicates).
    pub fn events(&self) -> Vec<ReceivedEvent> {
        self.workspace.journal.events()
    }

    /// How many events were accepted, the forgotten ones among them.
    pub fn event_count(&self) -> usize {
        self.workspace.journal.counts().events
    }

    /// The names of the [lock](crate::SandboxBuilder::events_lock) of which no event was accepted since the start; none where
    /// there is no lock.
    pub fn never_sent(&self) -> Vec<String> {
        let lock = self.workspace.rules.lock.as_ref();
        lock.map_or_else(Vec::new, |lock| lock.others(&self.workspace.event_names.all()))
    }

    /// Waits until this many events were accepted in all, and gives those that are remembered.
    pub async fn wait_for(&self, events: usize) -> Vec<ReceivedEvent> {
        let journal = &self.workspace.journal;
        journal.wait_until(|counts| counts.events >= events).await;
        journal.events()
    }

    /// The events that were answered as accepted and ignored, because there was one of their contact,
    /// name and second already: in order of arrival, as far as their requests are
    /// [remembered](crate::Retention::keep_requests).
    pub fn duplicates(&self) -> Vec<ReceivedEvent> {
        let requests = self.workspace.journal.requests();
        requests
            .iter()
            .filter(|request| request.outcome() == Outcome::Duplicate)
            .filter_map(ReceivedRequest::event)
            .collect()
    }

    /// How many events were ignored as duplicates, the forgotten ones among them.
    pub fn duplicate_count(&self) -> usize {
        self.workspace.journal.counts().duplicates
    }

    /// Every request in order of arrival, whatever became of it, as far as they are
    /// [remembered](crate::Retention::keep_requests).
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

    /// Follows the requests from the first that is remembered, also where they are
    /// [cleared](Self::clear) meanwhile and counted anew.
    pub fn follow(&self) -> Follower {
        Follower { workspace: Arc::clone(&self.workspace), place: Place::default() }
    }

    /// Follows the requests that this sandbox receives itself: as [`follow`](Self::follow) does, without
    /// those that it found in its [state file](crate::SandboxBuilder::state_file).
    pub fn follow_new(&self) -> Follower {
        Follower { workspace: Arc::clone(&self.workspace), place: self.began_at }
    }

    /// Answers the next requests to `POST /events` with this: a number stands for the status with
    /// what [usually comes with it](Answer). What [`answer_next`](Self::answer_next) says of a
    /// scripted answer holds here too.
    ///
    /// ```
    /// # fn fail(sandbox: &intercom_sandbox::Sandbox) {
    /// sandbox.fail_next(3, 503);
    /// # }
    /// ```
    ///
    /// # Panics
    /// If a number is not a status that can end a request: 200 to 599.
    pub fn fail_next(&self, requests: usize, answer: impl Into<Answer>) {
        self.inject(Fault::answer(answer).next(requests));
    }

    /// Scripts the answer to the next request to `POST /events`. Several form a queue, one answer a
    /// request. Nothing of the request is checked, it spends no rate limit, and its event is not
    /// accepted even where the answer says so; it is among the [requests](Self::requests).
    pub fn answer_next(&self, answer: Answer) {
        self.fail_next(1, answer);
    }

    /// How many scripted answers still wait for their request.
    pub fn pending_answers(&self) -> usize {
        self.workspace.faults.pending_answers(self.workspace.clock.now())
    }

    /// Lets a fault stand from now on, and gives the number by which it is [lifted](Self::lift).
    ///
    /// Of the faults that take the place of the answer, the one that was injected first and strikes
    /// is it, and later ones do not meet the request. All others that strike apply together.
    ///
    /// A request whose answer is a fault's is recorded as [`Outcome::Faulted`], one that was accepted
    /// before as accepted; in both cases, and where a fault only changed the answer,
    /// [`ReceivedRequest::fault`] names it.
    ///
    /// # Panics
    /// If the fault contradicts itself: a [rate limit](Fault::rate_limit) is not for single requests.
    pub fn inject(&self, fault: Fault) -> FaultId {
        self.workspace.inject(fault).id()
    }

    /// The faults that stand, in the order in which they were injected, and how often each has
    /// struck. Those that have had all their requests, or whose time is over, are gone.
    pub fn faults(&self) -> Vec<ActiveFault> {
        self.workspace.faults.list(self.workspace.clock.now())
    }

    /// Lifts a fault, and says whether it still stood.
    pub fn lift(&self, id: FaultId) -> bool {
        self.workspace.lift(|fault| fault.id() == id) > 0
    }

    /// Lifts all faults, the scripted answers that are left among them.
    pub fn lift_faults(&self) {
        self.workspace.lift(|_| true);
    }

    /// What decides which requests a fault of so many [percent](Fault::percent) strikes. A sandbox
    /// that is [started with it](crate::SandboxBuilder::seed) decides the same.
    pub fn seed(&self) -> u64 {
        self.workspace.faults.seed()
    }

    /// Makes a contact known from now on, and gives it with the contact id it has.
    pub fn add_contact(&self, contact: SeedContact) -> Contact {
        self.workspace.contacts.add(contact, self.workspace.clock.now())
    }

    /// The contact with this contact id, which is Intercom's own, or the one that it was merged into.
    pub fn contact(&self, contact_id: &str) -> Option<Contact> {
        self.workspace.contacts.get(contact_id)
    }

    /// The user with this user id, which is the application's own; an archived one is not found.
    pub fn user(&self, user_id: &str) -> Option<Contact> {
        self.workspace.contacts.user(user_id)
    }

    /// All contacts in the order they came: those it started with, those added, and those created
    /// over the API. Deleted and merged ones are not among them.
    pub fn contacts(&self) -> Vec<Contact> {
        self.workspace.contacts.all()
    }

    /// Forgets requests, events and their counts, and the scripted answers that are left: the faults
    /// that take the place of the next so many answers. Contacts, active event names, the open
    /// rate-limit window and all other faults stay.
    pub fn clear(&self) {
        self.workspace.clear();
    }

    /// Ends the sandbox as dropping it does, and waits until the port is released.
    pub async fn shutdown(mut self) {
        self.server.abort();
        // Aborted is how this task always ends.
        let _ = (&mut self.server).await;
        self.keep().await;
    }

    /// Ends the sandbox without breaking anything off: no connection is accepted any more, requests
    /// under way are answered, streams to the page end, and idle connections are closed. What is
    /// not done after this time is broken off. What was received can still be asked for.
    pub async fn graceful_shutdown(&mut self, patience: Duration) {
        self.workspace.closing.begin();
        if tokio::time::timeout(patience, &mut self.server).await.is_err() {
            self.server.abort();
            let _ = (&mut self.server).await;
        }
        self.keep().await;
    }

    /// Writes the state file once more. Nobody who ends a sandbox so asks whether that worked:
    /// [`save_state`](Self::save_state) says it.
    async fn keep(&self) {
        let _ = self.save_state().await;
    }

    /// Writes the state file now, where the builder [named one](crate::SandboxBuilder::state_file).
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn save_state(&self) -> io::Result<()> {
        match &self.keeper {
            Some(keeper) => keeper.write().await,
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
    place: Place,
}

impl Follower {
    /// Waits for requests that it has not given yet, and gives those that are
    /// [remembered](crate::Retention::keep_requests), in order of arrival. Dropping the future
    /// loses none. Where the sandbox has ended, and all that came in was given, it waits for ever.
    pub async fn next(&mut self) -> Vec<ReceivedRequest> {
        self.workspace.journal.follow(&mut self.place).await
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("place", &self.place).finish_non_exhaustive()
    }
}
