//! Where an event may stand that collides with others.

use std::ops::Add;
use std::time::Duration;

use intercom_core::{DataEvent, Timestamp};

use super::model::Held;
use super::violation::{Checked, ensure};
use crate::outbox::Collisions;

/// How long an outbox remembers at the least what has left it. It may do so for longer.
const MEMORY: Duration = Duration::from_secs(120);

/// How often something happened, as far as is known.
#[derive(Clone, Copy, Default)]
pub(super) struct Collided {
    pub(super) least: u64,
    pub(super) most: u64,
}

impl Collided {
    const NEVER: Self = Collided { least: 0, most: 0 };
    const PERHAPS: Self = Collided { least: 0, most: 1 };

    fn from(surely: bool, perhaps: bool) -> Self {
        Collided { least: surely.into(), most: perhaps.into() }
    }

    pub(super) fn contains(self, number: u64) -> bool {
        (self.least..=self.most).contains(&number)
    }
}

impl Add for Collided {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Collided { least: self.least + other.least, most: self.most + other.most }
    }
}

/// The seconds of those earlier events that Intercom could take this one for.
struct Taken(Vec<(i64, bool)>);

impl Taken {
    /// `None` while one of these seconds is not known.
    fn by(earlier: &[Held], event: &DataEvent, now: Duration) -> Option<Self> {
        let name = event.name().to_lowercase();
        let alike = earlier.iter().filter(|held| {
            held.offered.contact() == event.contact() && held.offered.name().to_lowercase() == name
        });
        let seconds = alike.map(|held| {
            let surely = held.left.is_none_or(|left| now < left + MEMORY);
            Some((held.second?, surely))
        });
        seconds.collect::<Option<_>>().map(Taken)
    }

    /// Whether an event at this second is held, or left not long ago.
    fn surely(&self, second: i64) -> bool {
        self.0.contains(&(second, true))
    }

    /// Whether there ever was an event at this second.
    fn ever(&self, second: i64) -> bool {
        self.0.iter().any(|(taken, _)| *taken == second)
    }

    /// Where an event may be that wants this second.
    fn choices(&self, wanted: i64) -> Vec<i64> {
        let free = (wanted..).find(|second| !self.ever(*second)).unwrap_or(wanted);
        (wanted..=free).filter(|second| !self.surely(*second)).collect()
    }
}

/// Where an event will be placed if there is no choice, and whether it collides and is kept.
pub(super) fn expect(
    earlier: &[Held],
    event: &DataEvent,
    collisions: Collisions,
    now: Duration,
) -> (Option<i64>, Collided) {
    let wanted = event.created_at().unix_seconds();
    let taken = Taken::by(earlier, event, now);
    if collisions == Collisions::Keep {
        let collided = taken.map_or(Collided::PERHAPS, |taken| {
            Collided::from(taken.surely(wanted), taken.ever(wanted))
        });
        return (Some(wanted), collided);
    }
    let choices = taken.map(|taken| taken.choices(wanted)).unwrap_or_default();
    let second = match choices[..] {
        [second] => Some(second),
        _ => None,
    };
    (second, Collided::NEVER)
}

/// The event as it is placed at this second.
pub(super) fn placed(offered: &DataEvent, second: i64) -> DataEvent {
    if offered.created_at().unix_seconds() == second {
        return offered.clone();
    }
    offered.moved_to(Timestamp::from_unix_seconds(second))
}

/// How many events were moved.
pub(super) fn moved(events: &[Held]) -> Collided {
    let moved = events.iter().map(|held| match held.second {
        Some(second) => {
            let moved = second != held.offered.created_at().unix_seconds();
            Collided::from(moved, moved)
        }
        None => Collided::PERHAPS,
    });
    moved.fold(Collided::NEVER, Add::add)
}

/// How many events collided and were kept.
pub(super) fn collided(events: &[Held]) -> Collided {
    events.iter().map(|held| held.collided).fold(Collided::NEVER, Add::add)
}

/// Judges the places of all events, when they are known.
pub(super) fn judge(events: &mut [Held]) -> Checked {
    for index in 0..events.len() {
        let (earlier, later) = events.split_at_mut(index);
        let held = &mut later[0];
        let wanted = held.offered.created_at().unix_seconds();
        let Some(taken) = Taken::by(earlier, &held.offered, held.accepted) else { continue };
        if held.collisions == Collisions::Keep {
            held.collided = Collided::from(taken.surely(wanted), taken.ever(wanted));
        } else if let Some(second) = held.second {
            ensure!(
                !taken.surely(second),
                "an event that was accepted {:?} after the beginning is at the second {second}, \
                 which was taken: {:?}",
                held.accepted,
                held.offered,
            );
            let choices = taken.choices(wanted);
            ensure!(
                choices.contains(&second),
                "an event that was accepted {:?} after the beginning was moved to the second \
                 {second} instead of one of {choices:?}: {:?}",
                held.accepted,
                held.offered,
            );
        }
    }
    Ok(())
}
