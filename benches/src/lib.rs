//! Every speed claim of this project, each as one command:
//!
//! | claim | command |
//! |---|---|
//! | an event is encoded as fast as a struct by plain serde | `cargo bench -p benches --bench encode` |
//! | rules cost less than decoding an event | `cargo bench -p benches --bench rules` |
//! | the derive compiles faster than serde's | `cargo bench -p benches --bench compile_time` |
//! | the transport is as fast as a bare HTTP client | `cargo bench -p benches --bench http` |
//! | `try_send` takes a microsecond, and delivery keeps the speed of a bare HTTP client | `cargo bench -p benches --bench delivery` |
//! | a million events wait as cheaply as ten thousand | `cargo bench -p benches --bench waiting` |
//! | an event is durable at nearly the disk's own speed, and delivered from there | `cargo bench -p benches --bench durable` |
//! | a file is imported into an outbox at a quarter of the speed of parsing it, in flat memory | `cargo bench -p benches --bench import` |
//! | a fleet accepts into PostgreSQL nearly as fast as plain rows are inserted, and takes over in time | `cargo bench -p benches --bench fleet` |
//! | the sandbox answers nearly as fast as a handler that only answers | `cargo bench -p benches --bench sandbox` |
//! | a million events survive an outage on the disk: little memory, quick to open, delivered evenly | `cargo bench -p benches --bench outage` |
//!
//! Each bench runs in turn with a named baseline (A B, B A, A B, …), and judges the median of the
//! rounds' ratios. A disturbance of one round disturbs both sides of its ratio, and a few disturbed
//! rounds do not move the median. A bench shows absolute times, and never judges them.
//!
//! With `-- --check` the exit status is 1 when a figure is beyond its bound.

mod allocations;
mod bare;
mod disk;
mod over_tls;
mod report;
mod rounds;
mod server;

pub use allocations::{Allocations, count_allocations};
pub use bare::{Bare, Http, TOKEN, send_side_by_side};
pub use disk::{RawSync, file_size};
pub use over_tls::{IN_FLIGHT, Pace, compare_over_tls, send_at_pace};
pub use report::{Bound, Part, Report, microseconds, nanoseconds, seconds, table};
pub use rounds::{Cost, Cpu, Rounds, Spread, in_turn};
pub use server::Server;
