#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! ## What is answered
//!
//! | request | answer |
//! |---|---|
//! | `POST /events` | `202` without a body |
//! | `GET /events` | `200` with a contact's events, or with `summary=true` how many of each name |
//! | `POST /events/summaries` | `200` without a body |
//! | `POST /contacts` | `200` with the contact, or `409` where there is one with its details |
//! | `GET /contacts`, `POST /contacts/search` | `200` with a page of contacts |
//! | `GET /contacts/{id}`, `GET /contacts/find_by_external_id/{external_id}` | `200` with the contact |
//! | `PUT /contacts/{id}` | `200` with the contact, or `409` where another one has such details |
//! | `POST /contacts/{id}/archive`, `POST /contacts/{id}/unarchive`, `POST /contacts/{id}/block`, `DELETE /contacts/{id}` | `200` with what is left to say of it |
//! | `POST /contacts/merge` | `200` with the user that a lead was merged into |
//! | `GET /contacts/{id}/merge_history` | `200` with what was merged into a user, from version 2.16 on |
//! | `GET /contacts/{id}/tags`, `…/notes`, `…/companies`, `…/subscriptions`, `…/segments` | `200` with an empty list |
//! | `GET /me` | `200` with an admin and its app |
//!
//! A request goes through these checks, in this order; the first that fails is the answer. Where
//! it fails, the answer is Intercom's error list, with a `code`, a `message` and, where one is to
//! blame, the `field`.
//!
//! | status | code | for |
//! |---|---|---|
//! | 404, 405 | `api_path_not_found`, `method_not_allowed` | a path or method that is not served |
//! | 501 | `not_in_sandbox` | a path that Intercom has and the sandbox does not |
//! | 401 | `unauthorized` | neither the access token nor app id and API key over HTTP Basic |
//! | 429 | `rate_limit_exceeded` | a request beyond what its app, or all apps together, may send in ten seconds |
//! | 400 | `intercom_version_invalid` | an `Intercom-Version` other than 1.0 to 1.4, 2.0 to 2.17, `Preview` and `Unstable` |
//! | 406 | `media_type_not_acceptable` | an `Accept` that does not take JSON, or none |
//! | 415 | `unsupported_media_type` | a `Content-Type` other than `application/json` |
//! | 413 | `payload_too_large` | a body beyond the limit |
//! | 400 | `bad_request` | a body that is not one JSON object |
//! | 400 | `parameter_not_found` | a required member that is missing or blank |
//! | 400 | `parameter_invalid` | a member of the wrong type |
//! | 422 | `parameter_invalid` | a value that breaks a rule, as those of metadata |
//! | 404 | `not_found` | a contact that is not known |
//! | 409 | `conflict` | a contact that several match, or that would be one that is there already |
//! | 410 | `contact_merged` | a contact that was merged into the one that the `Link` header names |
//! | 400 | `invalid_merge` | a merge of other than a lead into a user, or of two that are no duplicates |
//! | 400 | `invalid_sort_order` | a search whose order is neither `ascending` nor `descending` |
//! | 422 | `contact_limit_reached` | one contact more than the sandbox keeps |
//! | 422 | `422` | a name beyond the number of active event names |
//!
//! Versions before 2.7 get the rules of 2.7, and a [warning](ReceivedRequest::warnings) in the records.
//! An `Accept` like `application/vnd.intercom.3+json`, which Intercom's client for Ruby sends, takes JSON
//! too.
//!
//! All that is wrong with one body is reported at once, up to 100 mistakes. Every answer has an
//! `X-Request-Id` and the three `X-RateLimit-…` headers.
//!
//! ## The rules of an event
//!
//! They are Intercom's, as documented for its API versions 2.7 to 2.16 and as seen by its users:
//!
//! - `event_name`, `created_at` and one of `id`, `user_id` and `email` are required. `created_at` is
//!   an integer of seconds: fractions and milliseconds are refused.
//! - Event names are filed with `.` and `$` turned into `-`; upper and lower case are the same; so
//!   many can be active in one workspace.
//! - A metadata value is a number, a boolean, a string of at most 255 characters, a rich link
//!   `{"url", "value"}` or a monetary amount `{"amount", "currency"}`. Anything else that is nested
//!   is refused, and `null` too.
//! - A metadata key has none of ``. $ ~ ` ! @ # % ^ & * ' " { } | \`` and NUL in it, is not `type`,
//!   comes once, whatever its case, and holds an integer where it ends in `_date`.
//! - Keys beyond the limit are dropped in silence. The sandbox tells which:
//!   [`ReceivedEvent::dropped_keys`].
//!
//! - Of two events with the same contact, name and `created_at` second, the second is answered as
//!   the first was, and ignored: it is among [`Sandbox::duplicates`], and not among
//!   [`Sandbox::events`].
//!
//! Top-level members that Intercom does not know are ignored; [`ReceivedEvent::body`] has them.
//!
//! Where Intercom's pages contradict each other, or say nothing, the builder has an
//! [option](OpenRules) that takes the rule the other way.
//! [`Problem::hint`] says of each refusal how to fix it, which Intercom's answers do not.
//!
//! ## Reading events back
//!
//! `GET /events?type=user` with one of `user_id`, `email` and `intercom_user_id` lists the events of
//! that contact that are less than 90 days old, newest first and 15 at a time, or `per_page`; as long
//! as there are more, `pages.next` is the address of the next page. With `summary=true` it tells for
//! each name how often it happened, and when for the first and the last time: of all events, and of
//! what was sent to `POST /events/summaries`. Both know the events that are
//! [remembered](Retention::keep_events), and no others.
//!
//! ## The rules of a contact
//!
//! They are those of Intercom's API description in its version 2.16:
//!
//! - A user has an `external_id` or an `email`, and shares neither with another user when it is
//!   created or changed; a lead needs neither. A lead is named by its id alone, and an archived contact
//!   by nothing: it is out of lists and searches too, and can be read by its id.
//! - A custom attribute is a string of at most 255 characters, a number or a boolean; its name has no
//!   `.` and `$`. A contact has at most 250 of them. Which there are is not settled here, as it is in a
//!   workspace of Intercom.
//! - A search compares fields by `=`, `!=`, `>`, `>=`, `<`, `<=`, `~`, `!~`, `^`, `$`, `IN` and `NIN`, each
//!   where it fits the field's type. Times take `=`, `>` and `<`, by their UTC day; with
//!   `Intercom-Version: Preview` also `!=`, `>=` and `<=`, to the second. At most 15 filters form a group, and groups at
//!   most one group. Where Intercom says nothing: upper and lower case differ; who has nothing in a
//!   field differs from every value, and comes before all others in an ascending list; a sort without
//!   an order is descending, and without a sort contacts are listed in the order they came.
//! - A list has 50 contacts a page and at most 150. Its cursors stay good while contacts come and go.
//! - A contact that was merged is answered with `410` from version 2.16 on, and with `404` before.
//!   With `include_merge_history=true` a user comes with what was merged into it.
//! - A merge wants a lead and a user with the same email or phone, unless
//!   [told otherwise](OpenRules::merges_only_duplicates). What the user lacks it takes from the
//!   lead, and the lead's events are its own.
//!
//! Tags, notes, companies and subscriptions are empty lists, and what only Intercom's messenger
//! learns is `null`. [`SandboxBuilder::contacts_settle_after`] has a new contact unknown to events for
//! a while, as Intercom may.
//!
//! ## Faults on demand
//!
//! [`Sandbox::fail_next`] and [`Sandbox::answer_next`] script what the next requests to `POST
//! /events` are answered with: any status, header and body, an error list, a connection that is
//! closed, or no answer at all. [`Sandbox::inject`] has all else that goes wrong: a share of the
//! requests, for a time or until it is lifted, for events, contacts or everything; delays, resets,
//! broken bodies, missing headers, wrong clocks, outages, a revoked token, a lower rate limit; and,
//! what teaches most, answers that are lost after the event was accepted. [`Fault`] has the list, and
//! the text form, which is the same everywhere.
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
//! sandbox.lift(lost);
//! # }
//! ```
//!
//! ## The page
//!
//! Open [`url`](Sandbox::url) in a browser, also while a test stands still: events arrive live with
//! what they carry, the raw request and the answer that was given; refused ones say which rule they
//! broke and how to fix it, and duplicates are shown as ignored. A request can be sent again, copied as a
//! curl command and linked to; a contact that was missing can be created. Beside the list there are a
//! chart with what is left of the rate limit, the catalogue of names with their keys, and switches
//! for the faults. Everything that it is made of is in the program; nobody else is asked for anything.
//!
//! ## The lock of a program's events
//!
//! With `--lock events.lock`, or [`SandboxBuilder::events_lock`], what arrives is held against the events that a program
//! says it sends. An event, a key or a kind that is not in the lock gets a warning, on the page and in what is printed; it is
//! answered all the same. What was never sent is listed when the program ends, and in the catalogue. The values of keys that
//! the lock marks as sensitive are masked wherever a request is shown.
//!
//! ## Tests in other languages
//!
//! The sandbox has an admin API of its own below `/_sandbox/`, JSON in and out. It needs no token; it
//! is for this machine alone, and for those that reach it by a name that was
//! [allowed](SandboxBuilder::allow_host). It refuses what a web page from elsewhere may send through a
//! browser.
//! What is not a `GET` needs `Content-Type: application/json`. An error is `{"error": "…"}` with a
//! sentence that says what would be right. None of it is recorded or counted, and no fault reaches it.
//!
//! | request below `/_sandbox` | body and answer |
//! |---|---|
//! | `GET /openapi.json` | a description in OpenAPI of all that the sandbox serves |
//! | `GET /health` | `{"status": "ok"}` as soon as it answers |
//! | `POST /verify` | `{"events": [{"name": "signed_up", "user_id": "42"}], "within": 5}`: `200` once exactly these events were accepted, `409` with what is `missing` and which `others` there are where they were not after `within` seconds (0 by default, 300 at most). It does not wait for what may come after them: to check that nothing does, let the sender finish first. `"others": true` allows other events; `"after": 7` looks only at requests of a higher number |
//! | `GET /state` | version, URL, seed, counts by outcome, what is left of the rate limits, faults, and every option of the builder that is no secret |
//! | `GET /requests?after=0&limit=1000` | `{"requests": […], "last": 7}`: what came in after a number, as [`ReceivedRequest`] is serialized; no more than `limit` and some 8 MB at a time |
//! | `POST /requests/1/resend` | `{}`: sends a request again, with the access token; `{"status": 202}` |
//! | `GET /feed?after=0` | the same as server-sent events: `update` with `records`, counts and budget; `begin` after a clearing, `end` |
//! | `GET /catalogue` | the names that were accepted, with their keys and kinds, and warnings where they differ; with a [lock](SandboxBuilder::events_lock) also whether it has each, and what was `never_sent` |
//! | `POST /clear` | `{}`: forgets what [`Sandbox::clear`] does |
//! | `GET /faults` | `{"faults": […]}`: those that stand, how often each has struck, and what is left of it |
//! | `POST /faults` | `{"fault": "503 for 20%"}`, and with a status also `"headers": {…}` and `"body": "…"`; the fault with its `id` |
//! | `DELETE /faults`, `DELETE /faults/1` | `{"lifted": 1}` |
//! | `GET /contacts?limit=200&search=ada` | `{"contacts": […], "total": 1}`: all, or the latest of those with a text in a detail |
//! | `POST /contacts` | `{"contacts": [{"user_id": "42"}]}`, each as [`SeedContact`] is deserialized |
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
//! Whatever a client does, the sandbox stays up and its memory bounded: bodies, heads of requests,
//! connections and the time that each may take have limits, with options in the builder.
//!
//! | status | code | for |
//! |---|---|---|
//! | 400 | `bad_request` | bytes that are no HTTP |
//! | 400 | `tls_on_plain_port` | a client that was given `https://` |
//! | 408 | `request_timeout` | a head or a body that does not come [in](Limits::idle_timeout) [time](Limits::body_timeout) |
//! | 413 | `payload_too_large` | a body beyond the [limit](Limits::body_limit) |
//! | 414, 431 | `uri_too_long`, `headers_too_large` | a head of more than 32 KiB or 100 headers |
//! | 503 | `too_many_connections` | a connection beyond the [limit](Limits::max_connections) |
//! | 503 | `too_many_bodies` | a large body, where others that are on their way in have taken the [room](Limits::max_incoming_bytes) |
//!
//! What is no request at all is not recorded, but for a TLS handshake: it is refused as a request of
//! the method `TLS`, since most clients do not show why it failed. Of what the page and the admin API answer 64 MiB wait at
//! the most for clients that are slow to take it; where others need the room, the connection of the
//! one that took nothing for the longest time is ended, and the page goes on where it was.
//!
//! ## From one start to the next
//!
//! With [`SandboxBuilder::state_file`], or `--state FILE`, contacts, event names, events and requests
//! outlive the sandbox.
//!
//! ## Time
//!
//! Rate-limit windows, faults that last for a time and the `Date` of answers go by a [`Clock`]. With
//! a [`ManualClock`] a test turns the window itself. Delays pass in tokio's time.
//!
//! A window opens with its first request, at any moment. Its reset is cut to a whole second, as
//! Intercom's is, so it can last up to a second longer than the header says.

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
