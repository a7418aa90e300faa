//! The conformance suite for shared outboxes, with machines that end, crash or stop.

use std::time::Duration;

use intercom_core::DataEvent;
use intercom_delivery::conformance::many::{Fleet, FleetProfile, Process, Transaction, run};
use intercom_delivery::outbox::Tenure;
use intercom_postgres::PostgresOutbox;
use tokio::runtime::Builder;
use tokio_postgres::Client;

use super::proxy::Proxy;
use super::support::Place;

/// Long enough for a slow machine to extend it in time.
const LEASE: Duration = Duration::from_millis(1_500);

struct Machines(Place);

impl Fleet for Machines {
    type Process = Machine;

    async fn start(&mut self) -> Machine {
        let proxy = Proxy::before(&self.0.url).await;
        let behind = Place { url: proxy.url.clone(), ..self.0.clone() };
        let builder = behind.builder().lease_time(LEASE).poll_interval(Duration::from_millis(20));
        Machine { place: self.0.clone(), proxy, outbox: builder.connect().await.unwrap() }
    }

    async fn advance(&mut self, by: Duration) {
        self.0.advance(by);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A machine behind its own proxy. To the others, a machine whose proxy blocks everything is a
/// stopped one.
struct Machine {
    place: Place,
    proxy: Proxy,
    outbox: PostgresOutbox,
}

impl Process for Machine {
    type Outbox = PostgresOutbox;
    type Transaction = Open;

    fn outbox(&self) -> &PostgresOutbox {
        &self.outbox
    }

    async fn begin(&self, events: Vec<DataEvent>) -> Open {
        let client = self.place.psql().await;
        client.batch_execute("BEGIN").await.unwrap();
        let body = |event: &DataEvent| String::from_utf8(event.body().to_vec()).unwrap();
        let bodies: Vec<_> = events.iter().map(body).collect();
        let accept = self.place.sql("SELECT {s}.accept($1::text[]::json[])");
        client.query(&accept, &[&bodies]).await.unwrap();
        Open(client)
    }

    async fn pause(&mut self) {
        self.proxy.freeze();
    }

    async fn resume(&mut self) {
        self.proxy.open();
    }

    async fn kill(self, tenure: Option<Tenure>) {
        self.proxy.close();
        drop(self);
        drop(tenure);
    }
}

/// An open transaction that has accepted events.
struct Open(Client);

impl Transaction for Open {
    async fn commit(self) {
        self.0.batch_execute("COMMIT").await.unwrap();
    }

    async fn roll_back(self) {
        self.0.batch_execute("ROLLBACK").await.unwrap();
    }
}

#[test]
fn several_machines_conform() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let profile = FleetProfile::new().histories(6).steps(100);
    let report = run(&profile, &runtime, async || Machines(Place::new()));
    assert_eq!(report.skipped(), []);
    assert!(report.takeovers() > 6 && report.moved() > 6 && report.removed() > 6, "{report}");
}
