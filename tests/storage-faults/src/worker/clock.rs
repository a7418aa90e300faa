//! The system's clock is stepped while an outbox is open, and goes back.

use std::path::Path;
use std::time::{Duration, SystemTime};
use std::{env, fs};

use intercom_delivery::outbox::{Lease, Outbox as _, Standing, Turn, Verdict};
use intercom_sqlite::SqliteOutbox;
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::engine::Engine;
use crate::events;
use crate::ledger::note;
use crate::worker::THROUGH;

/// Where libfaketime reads what is added to the clock.
pub(crate) const FILE: &str = "FAKETIME_TIMESTAMP_FILE";

const HOUR: Duration = Duration::from_secs(3_600);

/// After this an event is due much too late.
const LATE: Duration = Duration::from_secs(30);

pub(crate) fn run(path: &Path) {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let outbox = SqliteOutbox::open(path).unwrap();
    runtime.block_on(async {
        let mut engine = Engine::new(outbox.clone());
        outbox.accept(&[0, 1].map(events::event)).await.unwrap();
        let leases = engine.lease(2).await.unwrap();
        engine.settle(&[&leases[0]], put_back(HOUR)).await.unwrap();

        let before = SystemTime::now();
        step("+2h");
        let stepped = SystemTime::now().duration_since(before).unwrap();
        assert!(stepped > HOUR, "the clock was stepped by {stepped:?}");
        outbox.accept(&[events::event(2)]).await.unwrap();
        let early: Vec<_> = engine.lease(9).await.unwrap().iter().map(|lease| lease.id.0).collect();
        if early != [3] {
            note(&format!("it is not time for these of {early:?}: only for 3"));
        }
        step("+0");
        engine.settle(&[&leases[1]], put_back(Duration::from_secs(1))).await.unwrap();
        let lease = outbox.lease(Standing::Delivering(engine.epoch().unwrap()), 9);
        match timeout(LATE, lease).await {
            Ok(Ok(Turn::Leased(leased))) => {
                let age = leased.events[0].age;
                if age > LATE {
                    note(&format!("its age is {age:?}"));
                }
            }
            other => note(&format!("what is due in a second comes late: {other:?}")),
        }
    });
    note(THROUGH);
}

fn put_back(after: Duration) -> impl Fn(&Lease) -> Verdict {
    move |_| Verdict::PutBack { after, attempts: 1, failure: None }
}

/// Steps the clock of this process to so much after the true time.
fn step(to: &str) {
    fs::write(env::var(FILE).unwrap(), to).unwrap();
}
