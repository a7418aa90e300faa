#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! ## Answers
//!
//! | request | answer |
//! |---|---|
//! | `POST /events` | `202` without a body |
//! | `GET /events` | `200` with a contact's events, or with `summary=true` the count of each name |
//! | `POST /events/summaries` | `200` without a body |
//! | `POST /contacts` | `200` with the contact, or `409` if a contact already has its details |
//! | `GET /contacts`, `POST /contacts/search` | `200` with a page of contacts |
//! | `GET /contacts/{id}`, `GET /contacts/find_by_external_id/{external_id}` | `200` with the contact |
//! | `PUT /contacts/{id}` | `200` with the contact, or `409` if another contact has these details |
//! | `POST /contacts/{id}/archive`, `POST /contacts/{id}/unarchive`, `POST /contacts/{id}/block`, `DELETE /contacts/{id}` | `200` with the contact's ids and its new state |
//! | `POST /contacts/merge` | `200` with the user that absorbed the lead |
//! | `GET /contacts/{id}/merge_history` | `200` with the leads merged into a user, from version 2.16 on |
//! | `GET /contacts/{id}/tags`, `…/notes`, `…/companies`, `…/subscriptions`, `…/segments` | `200` with an empty list |
//! | `GET /me` | `200` with an admin and its app |
//!
//! The sandbox runs these checks in this order. Intercom does not document its own order. The first
//! failing check decides the answer: Intercom's *error list*. Each error has a `code` and a
//! `message`. Its `field` names the wrong member of the body, if there is one.
//!
//! | status | code | for |
//! |---|---|---|
//! | 404, 405 | `api_path_not_found`, `method_not_allowed` | a path or method that the API does not have |
//! | 501 | `not_in_sandbox` | a path that Intercom has and the sandbox does not |
//! | 401 | `unauthorized` | neither the access token nor app id and API key over HTTP Basic |
//! | 429 | `rate_limit_exceeded` | a request over the limit of its app, or of all apps together, in a window of ten seconds |
//! | 400 | `intercom_version_invalid` | an `Intercom-Version` other than 1.0 to 1.4, 2.0 to 2.17, `Preview` and `Unstable` |
//! | 406 | `media_type_not_acceptable` | an `Accept` that excludes JSON, or no `Accept` |
//! | 415 | `unsupported_media_type` | a `Content-Type` other than `application/json`, or a compressed body |
//! | 413 | `payload_too_large` | a body over the limit |
//! | 400 | `bad_request` | a body that is not one JSON object |
//! | 400 | `parameter_not_found` | a required member that is missing or blank |
//! | 400 | `parameter_invalid` | a member of the wrong type |
//! | 422 | `parameter_invalid` | a value that breaks a rule, for example of metadata |
//! | 404 | `not_found` | an unknown contact |
//! | 409 | `conflict` | an identifier that several contacts share, or a contact that exists already |
//! | 410 | `contact_merged` | a merged contact; the `Link` header names the contact that absorbed it |
//! | 400 | `invalid_merge` | a merge that is not of a lead into a user, or of two contacts that are not duplicates |
//! | 400 | `invalid_sort_order` | a search whose order is neither `ascending` nor `descending` |
//! | 422 | `contact_limit_reached` | a new contact when the sandbox is full |
//! | 422 | `422` | a new event name when the number of active names is at its limit |
//!
//! Without `Intercom-Version` a request gets the rules of 2.16. Versions before 2.7 get the rules
//! of 2.7, and the request gets a [warning](ReceivedRequest::warnings). `Unstable` is an earlier
//! name of `Preview`. An `Accept` like `application/vnd.intercom.3+json`, which Intercom's client
//! for Ruby sends, accepts JSON too.
//!
//! One answer reports all mistakes of a body, up to 100. Every answer of the API has an
//! `X-Request-Id` and three headers `X-RateLimit-…`. A [fault](Fault) can remove or replace them,
//! and [`no_rate_limit`](SandboxBuilder::no_rate_limit) removes those three.
//!
//! ## The rules of an event
//!
//! The rules are Intercom's, as documented for API versions 2.7 to 2.17 and as observed by its
//! users:
//!
//! - An event needs `event_name`, `created_at` and one of `id`, `user_id` and `email`. `created_at`
//!   is an integer of seconds. Intercom refuses fractions and milliseconds.
//! - Intercom turns `.` and `$` in an event name into `-`, and ignores case. A workspace can have
//!   [120 names](SandboxBuilder::active_event_names).
//! - A metadata value is a number, a boolean, a string of at most 255 characters, a rich link
//!   `{"url", "value"}` or a monetary amount `{"amount", "currency"}`. The sandbox refuses `null`
//!   and other nested values.
//! - A metadata key contains no NUL and none of ``. $ ~ ` ! @ # % ^ & * ' " { } | \``. A key is not
//!   `type`, and occurs once, ignoring case. A key that ends in `_date` holds an integer of
//!   seconds.
//! - Intercom drops keys beyond [a limit](OpenRules::metadata_keys) without an error.
//!   [`ReceivedEvent::dropped_keys`] lists them.
//! - Intercom ignores an event with the contact, name and `created_at` of an earlier one, and
//!   answers it as usual. [`Sandbox::duplicates`] returns it, and [`Sandbox::events`] does not.
//!
//! The sandbox ignores top-level members that Intercom does not know; [`ReceivedEvent::body`] has
//! them.
//!
//! Where Intercom's pages are silent or contradict each other, an [option](OpenRules) selects
//! another rule. [`Problem::hint`] says how to fix each refusal. Intercom's answers do not say
//! that.
//!
//! ## Reading events back
//!
//! `GET /events?type=user` with `user_id`, `email` or `intercom_user_id` lists a contact's events
//! of the last 90 days, the newest first. A page has 15 events, or `per_page` of them, up to 150.
//! While there are more, `pages.next` is the address of the next page.
//!
//! With `summary=true` the answer has the count of each name, with its first and last time. It
//! counts events of any age, and adds the counts that clients sent to `POST /events/summaries`. The
//! list and the counts include only [remembered](Retention::keep_events) events.
//!
//! ## The rules of a contact
//!
//! The rules come from Intercom's API description, version 2.16:
//!
//! - A user has an `external_id` or an `email`. Creating or changing a user fails if another user
//!   has the same one. A lead needs neither.
//! - An event reaches a lead only by the lead's id, and an archived contact not at all. Lists and
//!   searches omit an archived contact. `GET /contacts/{id}` finds it.
//! - A custom attribute is a string of at most 255 characters, a number or a boolean. Its name
//!   contains no `.` and no `$`. A contact has at most 250 of them. Unlike an Intercom workspace,
//!   the sandbox accepts attributes that nobody has created, unless
//!   [`OpenRules::custom_attributes`] lists the allowed ones.
//! - A search compares fields by `=`, `!=`, `>`, `>=`, `<`, `<=`, `~` (contains), `!~` (does not
//!   contain), `^` (starts with), `$` (ends with), `IN` and `NIN` (is none of). Not every operator
//!   fits every type of field.
//! - A search compares times by their UTC day, with `=`, `>` and `<`. Under the version `Preview`
//!   it compares them to the second, also with `!=`, `>=` and `<=`.
//! - A group has at most 15 filters. A group can contain groups, and those contain only filters.
//! - Where Intercom is silent, a search is case-sensitive. A contact without a value in a field
//!   differs from every value, and comes first in an ascending list. A sort without an order is
//!   descending. Without a sort, a list is in the order in which the sandbox got the contacts.
//! - A page of a list has 50 contacts, or `per_page` of them, up to 150. Its cursors stay valid
//!   while clients create and delete contacts.
//! - A request for a merged contact gets `410` from version 2.16 on, and `404` before. With
//!   `include_merge_history=true` a user lists the leads merged into it.
//! - A merge needs a lead and a user with the same email or phone, unless
//!   [`OpenRules::merges_only_duplicates`] is off. The lead's details fill those that the user
//!   lacks, and the lead's events become the user's.
//!
//! Tags, notes, companies and subscriptions are empty lists. Fields that only Intercom's messenger
//! fills are `null`. With [`SandboxBuilder::contacts_settle_after`] events do not find a new
//! contact for some time, as can happen at Intercom.
//!
//! ## Faults
//!
//! [`Sandbox::fail_next`] and [`Sandbox::answer_next`] script the answers to the next requests to
//! `POST /events`. An answer is any status, header and body, an error list, a closed connection,
//! or silence.
//!
//! [`Sandbox::inject`] adds any fault: for a percentage of requests, for a time or until its
//! removal, for events, contacts or every request. Faults are delays, resets, broken bodies,
//! missing headers, wrong clocks, outages, a revoked token and a lower rate limit. A fault after
//! acceptance loses the answer to an accepted event, so that the client sends the event again.
//! [`Fault`] lists all faults, with their text form.
//!
//! ```
//! # async fn script(sandbox: &intercom_sandbox::Sandbox) {
//! use std::time::Duration;
//!
//! use intercom_sandbox::{Answer, Fault};
//!
//! sandbox.fail_next(3, 503);
//! sandbox.answer_next(Answer::error(401, "unauthorized", "Access Token Invalid"));
//! sandbox.answer_next(Answer::hang_up());
//!
//! sandbox.inject(Fault::answer(503).percent(20.0).lasting(Duration::from_secs(30)));
//! let lost = sandbox.inject(Fault::answer(Answer::hang_up()).after_acceptance());
//! sandbox.remove_fault(lost);
//! # }
//! ```
//!
//! ## The page
//!
//! Open [`url`](Sandbox::url) in a browser, even while a debugger stops a test. Events arrive live
//! with their metadata, the raw request and the answer. A refused event shows which rule it broke
//! and how to fix it; a duplicate shows as ignored.
//!
//! The page resends a request, copies it as a curl command, and links to it. It creates missing
//! contacts. Beside the list it has a chart of the remaining rate limit, the catalogue of names
//! with their keys, and switches for the faults. The crate contains the whole page: a browser
//! loads nothing from elsewhere.
//!
//! ## The lock of a program's events
//!
//! A *lock* is the file `events.lock`, which the crate `intercom-catalogue` writes. It lists a
//! program's events and their keys, with the kind of each value, such as `number` or `money`. With
//! `--lock events.lock`, or [`SandboxBuilder::events_lock`], the sandbox compares events with it.
//!
//! An event that differs from the lock gets a warning: for an unknown name or key, a missing key, a
//! value of another kind, or a text that the lock does not allow. The page and the program's output
//! show the warning. The answer stays the same.
//!
//! The page's catalogue and the program's last lines list the events of the lock that never
//! arrived. The sandbox masks the values of sensitive keys wherever it shows a request.
//!
//! ## Tests in other languages
//!
//! The sandbox has its own admin API below `/_sandbox/`, with JSON in and out. The API needs no
//! token. Its `Host` header must be `localhost`, a loopback address, or a name that the builder
//! [allows](SandboxBuilder::allow_host). So a web page of another site cannot use the API through a
//! browser. A client that can reach the port can forge the header.
//!
//! Every request but `GET` needs `Content-Type: application/json`. An error is `{"error": "…"}`, a
//! sentence with the fix. The sandbox neither records nor counts these requests, and no fault
//! affects them.
//!
//! | request below `/_sandbox` | body and answer |
//! |---|---|
//! | `GET /openapi.json` | the OpenAPI description of everything that the sandbox serves |
//! | `GET /health` | `{"status": "ok"}` once the sandbox answers |
//! | `POST /verify` | `{"events": [{"name": "signed_up", "user_id": "42"}], "within": 5}`: `200` once the sandbox has accepted exactly these events. After `within` seconds (0 by default, 300 at most) the answer is `409`, with the `missing` events and the `others`. The call does not wait for later events: to check that none follow, let the sender finish first. `"others": true` allows other events; `"after": 7` looks only at requests with a higher number |
//! | `GET /state` | version, URL, seed, counts by outcome, remaining rate limits, faults, and every builder option that is not a secret |
//! | `GET /requests?after=0&limit=1000` | `{"requests": […], "last": 7}`: the requests after a number, in the JSON of [`ReceivedRequest`]; at most `limit` and about 8 MB at a time |
//! | `POST /requests/1/resend` | `{}`: sends a request again, with the access token; `{"status": 202}` |
//! | `GET /feed?after=0` | the requests as server-sent events. `begin`: forget earlier messages. `update`: new `records`, counts and the remaining rate limit. `end`: the sandbox has ended |
//! | `GET /catalogue` | the accepted names with their keys and kinds, and warnings where they differ. With a [lock](SandboxBuilder::events_lock) also whether it has each name, and the `never_sent` names |
//! | `POST /clear` | `{}`: clears what [`Sandbox::clear`] clears |
//! | `GET /faults` | `{"faults": […]}`: the active faults. `met` and `struck` are the requests that each matched, and those to which it applied |
//! | `POST /faults` | `{"fault": "503 for 20%"}`, and with a status also `"headers": {…}` and `"body": "…"`; the answer is the fault with its `id` |
//! | `DELETE /faults`, `DELETE /faults/1` | `{"lifted": 1}`: the number of removed faults |
//! | `GET /contacts?limit=200&search=ada` | `{"contacts": […], "total": 1}`: the contacts with this text in an id, email, name or phone, and their total. `limit` selects the last ones; without parameters the answer has all |
//! | `POST /contacts` | `{"contacts": [{"user_id": "42"}]}`, each in the JSON of [`SeedContact`]: `201`, or `422` when the sandbox is [full](Limits::max_contacts) |
//!
//! ```sh
//! curl http://127.0.0.1:4680/_sandbox/faults -H 'Content-Type: application/json' \
//!      -d '{"fault": "429 for next 1", "headers": {"Retry-After": "7"}}'
//! curl -X DELETE http://127.0.0.1:4680/_sandbox/faults -H 'Content-Type: application/json'
//! curl http://127.0.0.1:4680/_sandbox/contacts -H 'Content-Type: application/json' \
//!      -d '{"contacts": [{"user_id": "42", "email": "ada@example.com"}]}'
//! curl 'http://127.0.0.1:4680/_sandbox/requests?after=0'
//! ```
//!
//! ## Clients that behave badly
//!
//! Whatever a client does, the sandbox stays up and its memory stays bounded. Bodies, request
//! heads, connections and the time for each have limits. [`Limits`] sets all but the size of a
//! head.
//!
//! | status | code | for |
//! |---|---|---|
//! | 400 | `bad_request` | bytes that are not HTTP |
//! | 400 | `tls_on_plain_port` | a client with an `https://` URL |
//! | 408 | `request_timeout` | a head not complete within the [`idle_timeout`](Limits::idle_timeout), or a body within the [`body_timeout`](Limits::body_timeout) |
//! | 413 | `payload_too_large` | a body over the [limit](Limits::body_limit) |
//! | 414, 431 | `uri_too_long`, `headers_too_large` | a head of more than 32 KiB or 100 headers |
//! | 503 | `too_many_connections` | a connection over the [limit](Limits::max_connections) |
//! | 503 | `too_many_bodies` | a large body, while other incoming bodies fill the [budget](Limits::max_incoming_bytes) |
//!
//! The sandbox does not record bytes that are not a request, except a TLS handshake. It records a
//! handshake as a request with the method `TLS`, since most clients hide why a handshake fails.
//!
//! Slow clients of the page and the admin API have at most 64 MiB of unread answers together.
//! Beyond that, the sandbox closes the connection that has been idle longest; the page reconnects
//! and resumes.
//!
//! ## From one start to the next
//!
//! With [`SandboxBuilder::state_file`], or `--state FILE`, contacts, event names, events and
//! requests survive a restart. The sandbox writes the file at [`shutdown`](Sandbox::shutdown), and
//! at most three seconds after a change. So a crash, or dropping the [`Sandbox`] without
//! `shutdown`, can lose the last three seconds.
//!
//! ## Time
//!
//! Rate-limit windows, timed faults and the `Date` header follow a [`Clock`]. With a
//! [`ManualClock`] a test ends a window without waiting. Delays and timeouts follow tokio's clock.
//!
//! A window of the rate limit opens with its first request, and ends ten seconds later.
//! `X-RateLimit-Reset` has that time in whole seconds, rounded down, as Intercom's does. So a
//! window can last up to a second longer than the header says.

mod admin;
mod answer;
mod answer_budget;
mod api;
mod apps;
mod body_budget;
mod builder;
mod clock;
mod contacts;
mod duplicates;
mod event;
mod event_names;
mod events_lock;
mod faults;
mod headers;
mod identifier;
mod journal;
mod json;
mod limits;
mod open_rules;
mod options;
mod page;
#[cfg(feature = "program")]
pub mod program;
mod rate_limit;
mod raw_request;
mod reading;
mod received;
mod refusal;
mod region;
mod reply;
mod request_id;
mod retention;
mod rules;
mod sandbox;
mod seconds;
mod server;
mod site;
mod state;
mod summaries;
mod sync;
mod version;
mod workspace;

pub use answer::Answer;
pub use builder::{SandboxBuilder, StartError};
pub use clock::{Clock, ManualClock, SystemClock};
pub use contacts::{Contact, SeedContact};
pub use events_lock::{EventsLock, InvalidEventsLock};
pub use faults::{ActiveFault, Fault, FaultId, InvalidFault};
pub use identifier::Identifier;
pub use limits::Limits;
pub use open_rules::OpenRules;
pub use received::{Outcome, ReceivedEvent, ReceivedRequest};
pub use refusal::Problem;
pub use region::Region;
pub use retention::Retention;
pub use sandbox::{Follower, Sandbox};
