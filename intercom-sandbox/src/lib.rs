//! A local Intercom to develop and test against: real HTTP, Intercom's rules, nobody else's server.
//!
//! ```
//! use intercom_sandbox::{Sandbox, SeedContact};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let ada = SeedContact::email("ada@example.com");
//!     let sandbox = Sandbox::builder().contact(ada).start().await?;
//!
//!     // Any client will do that can be given a base URL.
//!     let answer = reqwest::Client::new()
//!         .post(format!("{}/events", sandbox.url()))
//!         .bearer_auth(sandbox.token())
//!         .header("Accept", "application/json")
//!         .header("Content-Type", "application/json")
//!         .body(
//!             r#"{
//!                 "event_name": "project_created",
//!                 "created_at": 1700000000,
//!                 "email": "ada@example.com",
//!                 "metadata": {"project_name": "Apollo"}
//!             }"#,
//!         )
//!         .send()
//!         .await?;
//!     assert_eq!(answer.status(), 202);
//!
//!     let events = sandbox.wait_for(1).await;
//!     assert_eq!(events[0].name(), "project_created");
//!     assert_eq!(events[0].metadata()[0], ("project_name".to_owned(), "Apollo".into()));
//!     Ok(())
//! }
//! ```
//!
//! # In tests
//!
//! [`Sandbox::start`] listens on a free port of the loopback address, and on no other. Point the
//! client at [`url`](Sandbox::url) with [`token`](Sandbox::token), and look at what arrived:
//! [`events`](Sandbox::events) are those that were accepted, [`requests`](Sandbox::requests) is
//! everything. What has been answered is in the records. Where the client works in the background,
//! [`wait_for`](Sandbox::wait_for) waits, without a sleep, until enough events were accepted.
//!
//! Many sandboxes can run side by side, each its own workspace. One ends when it is dropped.
//!
//! # Whose events are accepted
//!
//! A sandbox starts as a new workspace does: it knows nobody, and answers `404` with Intercom's
//! "User Not Found". Contacts become known with [`SandboxBuilder::contact`], with
//! [`Sandbox::add_contact`], or as they do at Intercom, by `POST /contacts`. With
//! [`SandboxBuilder::know_everybody`] all are.
//!
//! # What is answered
//!
//! | request | answer |
//! |---|---|
//! | `POST /events` | `202` without a body |
//! | `POST /contacts` | `200` with the contact, or `409` where there is one with its details |
//! | `GET /me` | `200` with an admin and its app |
//!
//! A request goes through these checks, in this order; the first that fails is the answer. Where
//! it fails, the answer is Intercom's error list, with a `code`, a `message` and, where one is to
//! blame, the `field`.
//!
//! | status | code | for |
//! |---|---|---|
//! | 404, 405 | `api_path_not_found`, `method_not_allowed` | a path or method that is not served |
//! | 401 | `unauthorized` | neither the access token nor app id and API key over HTTP Basic |
//! | 429 | `rate_limit_exceeded` | a request beyond the limit of its ten-second window |
//! | 400 | `intercom_version_invalid` | an `Intercom-Version` other than 2.7 to 2.16 and `Unstable` |
//! | 406 | `media_type_not_acceptable` | an `Accept` that does not take JSON, or none |
//! | 415 | `unsupported_media_type` | a `Content-Type` other than `application/json` |
//! | 413 | `payload_too_large` | a body beyond the limit |
//! | 400 | `bad_request` | a body that is not one JSON object |
//! | 400 | `parameter_not_found` | a required member that is missing or blank |
//! | 400 | `parameter_invalid` | a member of the wrong type |
//! | 422 | `parameter_invalid` | a value that breaks a rule, as those of metadata |
//! | 404 | `not_found` | a contact that is not known |
//! | 409 | `conflict` | a contact that several match |
//! | 422 | `422` | a name beyond the number of active event names |
//!
//! All that is wrong with one body is reported at once. Every answer has an `X-Request-Id` and the
//! three `X-RateLimit-…` headers.
//!
//! # The rules of an event
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
//! Top-level members that Intercom does not know are ignored; [`ReceivedEvent::body`] has them.
//!
//! # Faults on demand
//!
//! [`Sandbox::answer_next`] scripts what the next requests to `POST /events` are answered with: any
//! status, header and body, an error list, a connection that is closed, or no answer at all.
//!
//! ```
//! # async fn script(sandbox: &intercom_sandbox::Sandbox) {
//! use intercom_sandbox::Answer;
//!
//! sandbox.answer_next(Answer::status(503));
//! sandbox.answer_next(Answer::error(401, "unauthorized", "Access Token Invalid"));
//! sandbox.answer_next(Answer::hang_up());
//! # }
//! ```
//!
//! # Time
//!
//! Rate-limit windows go by a [`Clock`]. With a [`ManualClock`] a test turns the window itself.
//!
//! # As a program
//!
//! `cargo run -p intercom-sandbox -- --know-everybody` starts one to point an application at, and
//! prints a line for every request. The program is behind the feature `program`, on by default; who
//! needs the library alone does without its dependencies by `default-features = false`.

mod answer;
mod api;
mod builder;
mod clock;
mod contacts;
mod event;
mod event_names;
mod headers;
mod journal;
mod json;
mod rate_limit;
mod refusal;
mod reply;
mod request;
mod request_id;
mod rules;
mod sandbox;
mod server;
mod sync;
mod workspace;

pub use answer::Answer;
pub use builder::{SandboxBuilder, StartError};
pub use clock::{Clock, ManualClock, SystemClock};
pub use contacts::{Contact, SeedContact};
pub use event::ReceivedEvent;
pub use refusal::Problem;
pub use request::{Outcome, ReceivedRequest};
pub use sandbox::Sandbox;
