//! The wall clock of an engine: it runs evenly, even if the system's clock steps.

use std::sync::Arc;
use std::time::SystemTime;

use intercom_core::Timestamp;
use tokio::time::Instant;

/// The step of the system's clock from which the engine logs it.
const TOLERANCE: i64 = 60;

/// Reads the system's clock.
pub(crate) type ReadClock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// A wall clock that runs evenly: steps of the system's clock do not move it.
pub(super) struct WallClock {
    began: Instant,
    began_at: Timestamp,
}

impl WallClock {
    pub(super) fn new(now: Instant, now_at: SystemTime) -> Self {
        WallClock { began: now, began_at: Timestamp::from(now_at) }
    }

    pub(super) fn at(&self, now: Instant) -> Timestamp {
        let elapsed = now.saturating_duration_since(self.began).as_secs();
        let elapsed = i64::try_from(elapsed).unwrap_or(i64::MAX);
        Timestamp::from_unix_seconds(self.began_at.unix_seconds().saturating_add(elapsed))
    }
}

/// Notices steps of the system's clock.
pub(super) struct Steps {
    even: WallClock,
    /// The lead of the system's clock at the last log, in seconds.
    said: i64,
}

impl Steps {
    pub(super) fn new(now: Instant, now_at: SystemTime) -> Self {
        Steps { even: WallClock::new(now, now_at), said: 0 }
    }

    /// Returns a step of the system's clock in seconds, once each.
    pub(super) fn look(&mut self, now: Instant, now_at: SystemTime) -> Option<i64> {
        let even = self.even.at(now).unix_seconds();
        let ahead = Timestamp::from(now_at).unix_seconds().saturating_sub(even);
        let step = ahead.saturating_sub(self.said);
        if step.saturating_abs() <= TOLERANCE {
            return None;
        }
        self.said = ahead;
        Some(step)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn each_step_is_noticed_once_and_moves_nothing() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        let mut steps = Steps::new(began, at(1_800_000_000));
        let looks = [
            (60, 60, None),
            (120, 3720, Some(3600)),
            (180, 3780, None),
            (240, 240, Some(-3600)),
            (300, 330, None),
        ];
        for (elapsed, shown, step) in looks {
            assert_eq!(steps.look(after(elapsed), at(1_800_000_000 + shown)), step, "{elapsed} s");
        }
        let clock = WallClock::new(began, at(1_800_000_000));
        assert_eq!(clock.at(after(90)).unix_seconds(), 1_800_000_090);
    }
}
