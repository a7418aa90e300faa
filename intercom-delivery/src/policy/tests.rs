//! Properties of the decision, for arbitrary policies and failures.

use proptest::prelude::*;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn kinds() -> impl Strategy<Value = ErrorKind> {
    prop::sample::select(vec![
        ErrorKind::InvalidEvent,
        ErrorKind::InvalidContact,
        ErrorKind::Rejected,
        ErrorKind::EventNameLimit,
        ErrorKind::UnknownContact,
        ErrorKind::AmbiguousContact,
        ErrorKind::Unauthorized,
        ErrorKind::Forbidden,
        ErrorKind::RateLimited,
        ErrorKind::Unavailable,
        ErrorKind::Timeout,
        ErrorKind::Connection,
        ErrorKind::UnexpectedAnswer,
        ErrorKind::Unsupported,
        ErrorKind::Full,
        ErrorKind::Storage,
        ErrorKind::Closed,
    ])
}

fn durations() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (0..u64::MAX).prop_map(Duration::from_secs),
        (0_u64..1_000_000_000).prop_map(Duration::from_millis),
    ]
}

fn attempts() -> impl Strategy<Value = u32> {
    prop_oneof![0..5_u32, 25..40_u32, Just(u32::MAX), any::<u32>()]
}

proptest! {
    #[test]
    fn a_decision_keeps_the_policy(
        kind in kinds(),
        base in durations(),
        cap in durations(),
        max_age in prop::option::of(durations()),
        max_attempts in prop::option::of(attempts()),
        retry_after in prop::option::of(durations()),
        attempts in attempts(),
        age in durations(),
        own_failures in 0_u32..24,
        failing_for in durations(),
        roll in 0.0..1.0_f64,
    ) {
        let mut policy = RetryPolicy::new().base(base).cap(cap);
        if let Some(age) = max_age {
            policy = policy.max_age(age);
        }
        if let Some(attempts) = max_attempts {
            policy = policy.max_attempts(attempts);
        }
        let mut error = SendError::new(kind);
        if let Some(wait) = retry_after {
            error = error.with_retry_after(wait);
        }
        let tried = Tried { attempts, panics: 0, age, own_failures, failing_for };
        let decision = policy.decide(AttemptFailure::Failed(&error), tried, roll);
        match decision {
            Decision::Done => prop_assert!(false, "a failure is no success"),
            Decision::UnknownContact => prop_assert_eq!(kind, ErrorKind::UnknownContact),
            Decision::Bury(reason) => match reason {
                DeadLetterReason::AgeLimit => {
                    prop_assert!(error.is_retryable() && max_age.is_some_and(|most| age >= most));
                }
                DeadLetterReason::AttemptLimit => {
                    let spent = attempts.saturating_add(1);
                    prop_assert!(error.is_retryable() && kind != ErrorKind::RateLimited);
                    prop_assert!(max_attempts.is_some_and(|most| spent >= most));
                }
                DeadLetterReason::Poison => {
                    prop_assert!(!error.is_permanent() && kind != ErrorKind::RateLimited);
                    prop_assert!(own_failures >= 12 && failing_for >= HOUR);
                }
                _ => prop_assert!(error.is_permanent()),
            },
            Decision::Retry { after, attempts: spent } => {
                prop_assert!(!error.is_permanent());
                let is_poison = own_failures >= 12 && failing_for >= HOUR;
                prop_assert!(!is_poison || kind == ErrorKind::RateLimited);
                let asked = retry_after.unwrap_or_default().min(MAX_WAIT);
                prop_assert!(after <= cap.max(asked));
                let operator = error.needs_operator() && kind != ErrorKind::UnexpectedAnswer;
                let free = kind == ErrorKind::RateLimited || operator;
                if free {
                    prop_assert_eq!(spent, attempts);
                } else {
                    prop_assert_eq!(spent, attempts.saturating_add(1));
                    prop_assert!(after >= asked);
                }
            }
        }
        let panicked = policy.decide(AttemptFailure::Panicked, tried, roll);
        prop_assert!(!matches!(panicked, Decision::Done | Decision::UnknownContact));
    }

    #[test]
    fn a_higher_roll_waits_longer_and_more_attempts_do_too(
        base in 0_u64..100_000,
        cap in 0_u64..10_000_000,
        attempts in 0_u32..u32::MAX,
        low in 0.0..1.0_f64,
        high in 0.0..1.0_f64,
    ) {
        let (low, high) = if low < high { (low, high) } else { (high, low) };
        let policy = RetryPolicy::new()
            .base(Duration::from_millis(base))
            .cap(Duration::from_millis(cap));
        let error = SendError::new(ErrorKind::Unavailable);
        let wait = |attempts, roll| {
            let tried = Tried { attempts, ..Tried::default() };
            match policy.decide(AttemptFailure::Failed(&error), tried, roll) {
                Decision::Retry { after, .. } => after,
                other => panic!("{other:?}"),
            }
        };
        prop_assert!(wait(attempts, low) <= wait(attempts, high));
        prop_assert!(wait(attempts, low) <= wait(attempts + 1, low));
        prop_assert_eq!(wait(attempts, 0.0), Duration::ZERO);
    }
}
