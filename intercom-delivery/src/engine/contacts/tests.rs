use super::*;

const RETRY: RetryPolicy = RetryPolicy::new();

fn contact() -> Contact {
    Contact::user_id(42)
}

fn job(id: u64, attempts: u32) -> Job {
    Job::tested(id, contact(), attempts)
}

/// Returns the decision about an event in short: the wait, and whether it counts an attempt.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Buried,
    Parked,
    Again(Duration, bool),
}

fn unknown(contacts: &mut Contacts, id: u64, now: Instant) -> Fate {
    fate(contacts.unknown(job(id, 0), &RETRY, now, 1.0))
}

fn fate(disposition: Disposition) -> Fate {
    match disposition {
        Disposition::Bury(_) => Fate::Buried,
        Disposition::Parked => Fate::Parked,
        Disposition::Retry { after, spends_attempt, .. } => Fate::Again(after, spends_attempt),
    }
}

fn ids(jobs: &[Job]) -> Vec<u64> {
    jobs.iter().map(|job| job.lease.id.get()).collect()
}

/// Returns contacts with one creation in flight, for event 1.
fn creating(now: Instant) -> Contacts {
    let mut contacts = Contacts::new(UnknownContact::Create);
    assert_eq!(unknown(&mut contacts, 1, now), Fate::Parked);
    assert_eq!(contacts.next_to_create(now), Some(contact()));
    contacts
}

#[test]
fn events_are_parked_until_their_contact_is_created_once() {
    let now = Instant::now();
    let mut contacts = creating(now);
    assert_eq!(unknown(&mut contacts, 2, now), Fate::Parked);
    assert!(contacts.is_creating(&contact()));
    assert_eq!(contacts.next_to_create(now), None);
    assert_eq!(ids(&contacts.created(contact(), now)), [1, 2]);
    assert!(!contacts.is_creating(&contact()));
}

#[test]
fn two_spellings_of_an_email_are_one_contact() {
    let now = Instant::now();
    let mut contacts = Contacts::new(UnknownContact::Create);
    let spellings = ["Ada@Example.com", "ada@example.com"].map(Contact::email);
    for (id, contact) in spellings.iter().enumerate() {
        let job = Job::tested(id as u64, contact.clone(), 0);
        assert_eq!(fate(contacts.unknown(job, &RETRY, now, 1.0)), Fate::Parked);
        assert!(contacts.is_creating(contact));
    }
    // The contact is created once, in the spelling of the first event.
    assert_eq!(contacts.next_to_create(now).as_ref(), Some(&spellings[0]));
    assert_eq!(contacts.next_to_create(now), None);
    assert_eq!(ids(&contacts.created(spellings[0].clone(), now)), [0, 1]);
    contacts.known(&spellings[1]);
    assert!(contacts.states.is_empty());
    // User ids are the application's own, and case matters.
    for id in ["A", "a"] {
        let job = Job::tested(7, Contact::user_id(id), 0);
        assert_eq!(fate(contacts.unknown(job, &RETRY, now, 1.0)), Fate::Parked);
        assert_eq!(contacts.next_to_create(now), Some(Contact::user_id(id)));
    }
}

#[test]
fn a_contact_that_was_just_created_is_waited_for_and_then_unusable_for_a_while() {
    let now = Instant::now();
    let mut contacts = creating(now);
    contacts.created(contact(), now);
    assert_eq!(unknown(&mut contacts, 1, now), Fate::Again(RACE_WAIT, false));
    let later = now + Duration::from_secs(10);
    assert_eq!(unknown(&mut contacts, 1, later), Fate::Again(Duration::from_secs(5), false));
    assert_eq!(unknown(&mut contacts, 1, now + RACE), Fate::Buried);
    let last = now + RACE + UNUSABLE - Duration::from_millis(1);
    assert_eq!(unknown(&mut contacts, 2, last), Fate::Buried);
    assert_eq!(unknown(&mut contacts, 3, now + RACE + UNUSABLE), Fate::Parked);
}

#[test]
fn an_event_that_was_taken_ends_what_was_held_against_its_contact() {
    let now = Instant::now();
    let mut contacts = creating(now);
    contacts.created(contact(), now);
    contacts.known(&contact());
    // The contact is unknown again: an operator deleted it meanwhile.
    assert_eq!(unknown(&mut contacts, 1, now), Fate::Parked);
}

#[test]
fn a_contact_that_cannot_be_created_gives_its_events_back() {
    let now = Instant::now();
    let mut contacts = creating(now);
    assert_eq!(ids(&contacts.not_created(&contact())), [1]);
    assert!(!contacts.is_creating(&contact()));
}

#[test]
fn a_creation_that_fails_is_tried_again_as_often_as_an_event() {
    let now = Instant::now();
    let retry = RetryPolicy::new().max_attempts(2);
    let mut contacts = creating(now);
    let after = contacts.set_back(contact(), Setback::Failed, &retry, now, 1.0);
    assert_eq!((after.given_up, after.is_news), (None, false));
    let again = now + Duration::from_secs(1);
    assert_eq!(contacts.next_action(), Some(again));
    assert_eq!(contacts.next_to_create(now), None);
    assert_eq!(contacts.next_to_create(again), Some(contact()));
    let after = contacts.set_back(contact(), Setback::Failed, &retry, again, 1.0);
    assert_eq!(after.given_up, Some(DeadLetterReason::ContactNotCreated));
}

#[test]
fn a_creation_that_panics_three_times_is_given_up() {
    let mut now = Instant::now();
    let mut contacts = creating(now);
    for _ in 1..MAX_PANICS {
        let after = contacts.set_back(contact(), Setback::Panicked, &RETRY, now, 0.0);
        assert_eq!(after.given_up, None);
        now = contacts.next_action().expect("the creation is tried again");
        assert_eq!(contacts.next_to_create(now), Some(contact()));
    }
    let after = contacts.set_back(contact(), Setback::Panicked, &RETRY, now, 0.0);
    assert_eq!(after.given_up, Some(DeadLetterReason::Panic));
}

#[test]
fn a_delayed_creation_is_no_failure() {
    let now = Instant::now();
    let retry = RetryPolicy::new().max_attempts(1);
    let mut contacts = creating(now);
    for _ in 0..5 {
        let after = contacts.set_back(contact(), Setback::Held, &retry, now, 1.0);
        assert_eq!(after.given_up, None);
        assert_eq!(contacts.next_to_create(now), Some(contact()));
    }
}

#[test]
fn while_intercom_refuses_creations_one_at_a_time_tries() {
    let now = Instant::now();
    let mut contacts = creating(now);
    let mut began = now;
    for (wait, is_news) in [(5, true), (10, false), (20, false)] {
        let after = contacts.set_back(contact(), Setback::Refused, &RETRY, began, 1.0);
        assert_eq!((after.given_up, after.is_news), (None, is_news));
        let until = began + Duration::from_secs(wait);
        assert_eq!(contacts.next_action(), Some(until));
        assert_eq!(contacts.next_to_create(until - Duration::from_millis(1)), None);
        assert_eq!(contacts.next_to_create(until), Some(contact()));
        assert_eq!(contacts.next_to_create(until), None, "one tries already");
        began = until;
    }
    assert_eq!(ids(&contacts.created(contact(), began)), [1]);
    assert_eq!(contacts.next_action(), None);
}

#[test]
fn an_operator_has_everything_tried_at_once() {
    let now = Instant::now();
    let mut contacts = creating(now);
    contacts.set_back(contact(), Setback::Failed, &RETRY, now, 1.0);
    assert_eq!(contacts.next_to_create(now), None);
    contacts.resume();
    assert_eq!(contacts.next_to_create(now), Some(contact()));
}

#[test]
fn an_unknown_contact_is_retried_for_as_long_as_was_said() {
    let now = Instant::now();
    let second = Duration::from_secs(1);
    let mut contacts = Contacts::new(UnknownContact::RetryFor(10 * second));
    assert_eq!(unknown(&mut contacts, 1, now), Fate::Again(second, true));
    // No longer than the rest of the time, which counts from the first refusal.
    let fourth = contacts.unknown(job(1, 4), &RETRY, now + 7 * second, 1.0);
    assert_eq!(fate(fourth), Fate::Again(3 * second, true));
    assert_eq!(unknown(&mut contacts, 1, now + 10 * second), Fate::Buried);
    // Another event has its own time, and so has this one after a redrive.
    assert_eq!(unknown(&mut contacts, 2, now + 10 * second), Fate::Again(second, true));
    contacts.forget(EventId::new(1));
    assert_eq!(unknown(&mut contacts, 1, now + 10 * second), Fate::Again(second, true));

    let mut contacts = Contacts::new(UnknownContact::DeadLetter);
    assert_eq!(unknown(&mut contacts, 1, now), Fate::Buried);
}
