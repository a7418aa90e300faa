//! Random failures of everything at once. Whatever happens, every event ends where the ledger says.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use intercom_core::{Contact, ContactCreation, ErrorKind};
use intercom_delivery::{Delivery, DeliveryBuilder, RetryPolicy, Selection, UnknownContact};
use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::time::sleep;

use crate::scripted::{
    Act, Created, DAY, MINUTE, SECOND, Scripted, Sent, UnreliableOutbox, answer, guarded, lock,
    made, name_limit, rate_limit,
};

/// The random choices of a run.
#[derive(Clone, Debug)]
struct Chance {
    /// The results of the calls, in order. Later calls succeed.
    sends: Vec<u8>,
    creations: Vec<u8>,
    /// The operations meanwhile, each with the time since the previous one.
    deeds: Vec<(u8, u64)>,
    events: u64,
    contacts: u64,
    concurrency: usize,
    policy: u8,
    seed: u64,
}

fn chance() -> impl Strategy<Value = Chance> {
    (
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(any::<u8>(), 0..20),
        prop::collection::vec((any::<u8>(), 0..40_000_u64), 0..20),
        1..80_u64,
        1..10_u64,
        1..10_usize,
        any::<u8>(),
        any::<u64>(),
    )
        .prop_map(|(sends, creations, deeds, events, contacts, concurrency, policy, seed)| {
            Chance { sends, creations, deeds, events, contacts, concurrency, policy, seed }
        })
}

fn sent(byte: u8) -> Sent {
    let short = SECOND / 10;
    match byte % 32 {
        0 => Act::status(422),
        1 => Act::status(404),
        2 => Act::Late(short, Err(answer(404))),
        3 => Act::status(503),
        4 => Act::Late(40 * SECOND, Err(answer(500))),
        5 => Act::PanicInPoll,
        6 => Act::PanicAtCall,
        7 => Act::Hang,
        8 => Act::End(Err(answer(429).with_retry_after(7 * SECOND))),
        9 => Act::status(429),
        10 => Act::End(Err(answer(429).with_rate_limit(rate_limit(10, 0, 5 * SECOND)))),
        11 => Act::status(401),
        12 => Act::status(403),
        13 => Act::fails(ErrorKind::Connection),
        14 => Act::End(Err(name_limit())),
        15 => Act::status(409),
        16 => Act::End(Err(answer(503).with_retry_after(3 * SECOND))),
        17 => Act::taken_after(50 * SECOND),
        18 => Act::taken_after(70 * SECOND),
        19..24 => Act::taken_after(short),
        _ => Act::taken(),
    }
}

fn created(byte: u8) -> Created {
    match byte % 12 {
        0 => Act::status(403),
        1 => Act::End(Ok(ContactCreation::Archived)),
        2 => Act::status(422),
        3 => Act::status(503),
        4 => Act::PanicInPoll,
        5 => Act::Hang,
        6 => Act::status(401),
        7 => Act::status(429),
        8 => Act::Late(SECOND, Ok(ContactCreation::Created)),
        _ => Act::created(),
    }
}

fn build(chance: &Chance, transport: &Scripted, outbox: &UnreliableOutbox) -> DeliveryBuilder {
    let unknown = match chance.policy % 3 {
        0 => UnknownContact::DeadLetter,
        1 => UnknownContact::RetryFor(20 * SECOND),
        _ => UnknownContact::Create,
    };
    let mut retry = RetryPolicy::new();
    if chance.policy & 64 > 0 {
        retry = retry.max_attempts(4);
    }
    if chance.policy & 128 > 0 {
        retry = retry.max_age(5 * MINUTE);
    }
    Delivery::builder(transport.clone())
        .outbox(outbox.clone())
        .unknown_contact(unknown)
        .retry(retry)
        .concurrency(chance.concurrency)
        .jitter_seed(chance.seed)
}

async fn counted(delivery: &Delivery) -> u64 {
    delivery.ledger().await.unwrap().deaths.iter().map(|(_, number)| number).sum()
}

async fn live(chance: Chance) {
    let (sends, creations) = (chance.sends.clone(), chance.creations.clone());
    let transport = Scripted::new(move |call| match sends.get(call.number) {
        Some(byte) => sent(*byte),
        None => Act::taken(),
    })
    .creating(move |call| match creations.get(call.number) {
        Some(byte) => created(*byte),
        None => Act::created(),
    });
    let outbox = UnreliableOutbox::default();
    let deaths = Arc::new(Mutex::new(0_u64));
    let start = || {
        let hook = deaths.clone();
        let builder = build(&chance, &transport, &outbox);
        builder.on_dead_letter(move |_| *lock(&hook) += 1).start().unwrap()
    };
    let mut delivery = start();
    let mut counted_before = 0;
    let mut offered = 0;
    let mut deeds = chance.deeds.iter().cycle();
    let mut left = chance.deeds.len();
    while offered < chance.events || left > 0 {
        if offered < chance.events {
            let contact = Contact::user_id(offered % chance.contacts);
            let name = ["one", "two", "three"][offered as usize % 3];
            let event = made(name, contact, offered);
            delivery.tracker().send_prepared(event).await.unwrap();
            offered += 1;
        }
        if left > 0
            && let Some((deed, pause)) = deeds.next()
        {
            left -= 1;
            sleep(Duration::from_millis(*pause)).await;
            match deed % 10 {
                0 | 1 => delivery.resume(),
                2 => drop(delivery.redrive(&Selection::All).await),
                3 => outbox.0.settling_fails(true),
                4 => outbox.0.leasing_fails(true),
                5 => outbox.0.settling_takes(SECOND / 4),
                6 => {
                    let report = delivery.shutdown(Duration::from_millis(*pause)).await;
                    assert_eq!(report.delivered + report.dead + report.pending, offered);
                    counted_before += counted(&delivery).await;
                    outbox.0.settling_fails(false);
                    delivery = start();
                }
                _ => {
                    outbox.0.settling_fails(false);
                    outbox.0.leasing_fails(false);
                    outbox.0.settling_takes(Duration::ZERO);
                }
            }
            let ledger = delivery.ledger().await.unwrap();
            assert!(ledger.is_balanced(), "{ledger}");
        }
    }
    outbox.0.settling_fails(false);
    outbox.0.leasing_fails(false);
    outbox.0.settling_takes(Duration::ZERO);
    let report = delivery.flush(DAY).await;
    let ledger = delivery.ledger().await.unwrap();
    assert!(ledger.is_balanced(), "{ledger}");
    assert_eq!((report.pending, ledger.accepted), (0, offered));
    let counted = counted_before + counted(&delivery).await;
    assert_eq!(*lock(&deaths), counted);

    let letters = delivery.dead_letters(None, 1000).await.unwrap();
    assert_eq!(letters.len() as u64, report.dead);
    let taken: HashSet<_> = transport.taken().iter().map(|event| event.body().clone()).collect();
    let dead: HashSet<_> = letters.iter().map(|letter| letter.event.body().clone()).collect();
    // Delivered events are those that the transport accepted. An event whose settlement was lost
    // may be sent again, and become a dead letter.
    assert_eq!(taken.union(&dead).count() as u64, offered);
    assert!(taken.len() as u64 >= report.delivered);
    let report = delivery.shutdown(MINUTE).await;
    assert_eq!(report.pending, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_event_ends_where_the_ledger_says(chance in chance()) {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(guarded(live(chance)));
    }
}
