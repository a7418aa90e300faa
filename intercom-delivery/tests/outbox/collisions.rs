//! `CollisionGuard`: two events that Intercom would take for one.

use std::collections::HashSet;
use std::time::Duration;

use intercom_core::{Contact, DataEvent, DynamicEvent, Timestamp};
use intercom_delivery::outbox::{CollisionGuard, CollisionKey, Collisions, Placement};
use tokio::time::{Instant, advance};

use super::support::{NOON, event};

const MINUTE: Duration = Duration::from_secs(60);

fn take(
    guard: &mut CollisionGuard,
    event: &DataEvent,
    collisions: Collisions,
) -> (Placement, CollisionKey) {
    guard.place(event, collisions, Instant::now())
}

fn place(guard: &mut CollisionGuard, event: &DataEvent) -> Placement {
    take(guard, event, Collisions::Move).0
}

fn keep(guard: &mut CollisionGuard, event: &DataEvent) -> Placement {
    take(guard, event, Collisions::Keep).0
}

/// Takes a free second and leaves it at once.
fn pass(guard: &mut CollisionGuard, event: &DataEvent) {
    let (placement, key) = take(guard, event, Collisions::Move);
    assert_eq!(placement, Placement::Free);
    guard.release(key, Instant::now());
}

/// The second after noon at which it was placed, which was this one.
fn second(placement: Placement, own: i64) -> i64 {
    match placement {
        Placement::Free | Placement::Collides => own,
        Placement::Moved(second) => second.unix_seconds() - NOON,
    }
}

/// Is moved by a second, and leaves.
fn pass_moved(guard: &mut CollisionGuard, event: &DataEvent) {
    let (placement, key) = take(guard, event, Collisions::Move);
    assert_eq!(placement, Placement::Moved(Timestamp::from_unix_seconds(NOON + 1)));
    guard.release(key, Instant::now());
}

fn of(name: &str, contact: Contact) -> DataEvent {
    let event = DynamicEvent::new(name).unwrap();
    DataEvent::new(&event, contact, Timestamp::from_unix_seconds(NOON)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_one_second_ends_in_a_second_each() {
    let (mut guard, event) = (CollisionGuard::new(), event("project_created", 0));
    let seconds = (0..10_000).map(|_| second(place(&mut guard, &event), 0));
    assert!(seconds.eq(0..10_000));
}

/// 10,000 stand there already, and as many come for each of their seconds. If each went past all of those that stand
/// there, that would be 100,000,000 steps.
#[tokio::test(start_paused = true)]
async fn who_comes_into_a_burst_does_not_go_all_the_way() {
    let mut guard = CollisionGuard::new();
    let first = event("project_created", 0);
    let mut taken: HashSet<_> = (0..10_000).map(|_| second(place(&mut guard, &first), 0)).collect();
    for own in 0..10_000 {
        assert!(taken.insert(second(place(&mut guard, &event("project_created", own)), own)));
    }
    assert_eq!(taken, (0..20_000).collect());
}

#[tokio::test(start_paused = true)]
async fn what_left_is_remembered_for_two_minutes_at_least_and_forgotten_some_time() {
    // When the memory turns over, as seen from the event, makes no difference.
    for offset in [Duration::ZERO, MINUTE, 2 * MINUTE - Duration::from_millis(1), 3 * MINUTE] {
        let (mut guard, event) = (CollisionGuard::new(), event("project_created", 0));
        pass(&mut guard, &of("first", Contact::user_id(1)));
        advance(offset).await;
        pass(&mut guard, &event);
        advance(2 * MINUTE - Duration::from_millis(1)).await;
        let (placement, key) = take(&mut guard, &event, Collisions::Keep);
        assert_eq!(placement, Placement::Collides, "after {offset:?}");
        guard.release(key, Instant::now());
        advance(10 * MINUTE).await;
        assert_eq!(place(&mut guard, &event), Placement::Free, "after {offset:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_forgotten_while_others_come_and_go() {
    let (mut guard, event) = (CollisionGuard::new(), event("project_created", 0));
    pass(&mut guard, &event);
    for user in 100..150 {
        advance(MINUTE / 10).await;
        pass(&mut guard, &of("project_created", Contact::user_id(user)));
    }
    assert_eq!(place(&mut guard, &event), Placement::Free);
}

#[tokio::test(start_paused = true)]
async fn it_is_remembered_while_thousands_leave() {
    for before in [0, 1, 2_000, 4_095, 4_096] {
        let (mut guard, event) = (CollisionGuard::new(), event("project_created", 0));
        let other = |user| of("project_created", Contact::user_id(user));
        (100..100 + before).for_each(|user| pass(&mut guard, &other(user)));
        pass(&mut guard, &event);
        (20_000..24_095_u32).for_each(|user| pass(&mut guard, &other(user)));
        assert_eq!(keep(&mut guard, &event), Placement::Collides, "{before} before");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_never_forgotten() {
    let (mut guard, event) = (CollisionGuard::new(), event("project_created", 0));
    assert_eq!(place(&mut guard, &event), Placement::Free);
    for _ in 0..5 {
        advance(3 * MINUTE).await;
        let (placement, key) = take(&mut guard, &event, Collisions::Keep);
        assert_eq!(placement, Placement::Collides);
        guard.release(key, Instant::now());
    }
}

#[tokio::test(start_paused = true)]
async fn each_of_those_that_were_kept_at_one_second_holds_it() {
    let (mut guard, event) = (CollisionGuard::new(), event("project_created", 0));
    let (_, first) = take(&mut guard, &event, Collisions::Keep);
    let (placement, second_one) = take(&mut guard, &event, Collisions::Keep);
    assert_eq!(placement, Placement::Collides);
    guard.release(first, Instant::now());
    advance(10 * MINUTE).await;
    pass_moved(&mut guard, &event);

    guard.release(second_one, Instant::now());
    advance(10 * MINUTE).await;
    assert_eq!(place(&mut guard, &event), Placement::Free);
}

#[tokio::test(start_paused = true)]
async fn who_is_kept_where_another_just_left_holds_the_second_too() {
    let (mut guard, event) = (CollisionGuard::new(), event("project_created", 0));
    pass(&mut guard, &event);
    assert_eq!(keep(&mut guard, &event), Placement::Collides);
    advance(10 * MINUTE).await;
    pass_moved(&mut guard, &event);
}

#[tokio::test(start_paused = true)]
async fn names_are_compared_without_case_and_contacts_by_how_they_are_named() {
    let ada = || Contact::user_id("ada");
    let mut guard = CollisionGuard::new();
    assert_eq!(place(&mut guard, &of("project_created", ada())), Placement::Free);
    assert_eq!(keep(&mut guard, &of("Project_CREATED", ada())), Placement::Collides);
    assert_eq!(place(&mut guard, &of("GRÖSSE", ada())), Placement::Free);
    assert_eq!(keep(&mut guard, &of("größe", ada())), Placement::Free);
    assert_eq!(keep(&mut guard, &of("grösse", ada())), Placement::Collides);
    let long = "n".repeat(100);
    assert_eq!(place(&mut guard, &of(&long, ada())), Placement::Free);
    assert_eq!(keep(&mut guard, &of(&long.to_uppercase(), ada())), Placement::Collides);

    let others = [
        Contact::user_id("Ada"),
        Contact::contact_id("ada"),
        Contact::email("ada@example.com"),
        Contact::user_id("ada").with_email("ada@example.com"),
    ];
    for contact in others {
        assert_eq!(place(&mut guard, &of("project_created", contact)), Placement::Free);
    }
    let email = Contact::email("Ada@Example.com");
    assert_eq!(keep(&mut guard, &of("project_created", email)), Placement::Collides);
}
