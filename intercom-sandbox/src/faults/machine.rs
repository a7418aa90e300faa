//! The active faults, and which of them a request meets.
//!
//! Faults that replace the answer are tried in order of injection until one strikes. All other
//! faults that strike apply together.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use super::fault::{Effect, Fault};
use super::meeting::Meeting;
use super::strike::Strike;
use crate::sync::lock;

/// The number of a fault in its sandbox, used to [lift](crate::Sandbox::lift) it. The first fault
/// is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FaultId(pub(crate) u64);

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An active fault, and how often it has struck: see [`Sandbox::faults`](crate::Sandbox::faults).
#[derive(Debug, Clone)]
pub struct ActiveFault {
    id: FaultId,
    fault: Fault,
    met: u64,
    struck: u64,
    ends_at: Option<SystemTime>,
}

impl ActiveFault {
    /// Returns the fault's number.
    pub fn id(&self) -> FaultId {
        self.id
    }

    /// Returns the injected fault.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Returns the number of requests met: requests in scope that no earlier fault took.
    pub fn met(&self) -> u64 {
        self.met
    }

    /// Returns the number of requests struck. Without a [percentage](Fault::percent) the fault
    /// strikes all that it meets.
    pub fn struck(&self) -> u64 {
        self.struck
    }

    /// Returns the number of requests left, if the fault is [limited](Fault::next).
    pub fn left(&self) -> Option<u64> {
        self.fault.next.map(|next| next.saturating_sub(self.met))
    }

    /// Returns the end of the fault, if it [lasts](Fault::lasting) for a time.
    pub fn ends_at(&self) -> Option<SystemTime> {
        self.ends_at
    }

    /// Returns the effect in its text form.
    pub(crate) fn effect(&self) -> String {
        self.fault.effect.to_string()
    }

    /// Returns whether the fault is an answer for the next requests.
    pub(crate) fn is_scripted_answer(&self) -> bool {
        self.fault.next.is_some() && self.fault.effect.takes_the_place_of_the_answer()
    }

    fn has_ended(&self, now: SystemTime) -> bool {
        self.left() == Some(0) || self.ends_at.is_some_and(|end| now >= end)
    }

    /// Counts one more request, and returns whether the fault strikes it.
    fn strikes(&mut self, seed: u64) -> bool {
        let strikes = match self.fault.percent {
            None => true,
            Some(percent) => chance(seed, self.id.0, self.met) * 100.0 < percent,
        };
        self.met += 1;
        self.struck += u64::from(strikes);
        strikes
    }
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before the sandbox reads the request.
    Arrival,
    /// After the sandbox accepts the request.
    Acceptance,
}

/// The faults of one sandbox.
pub(crate) struct Faults {
    seed: u64,
    /// The number of faults, so that a request takes no lock when there are none.
    count: AtomicUsize,
    standing: Mutex<Standing>,
}

#[derive(Default)]
struct Standing {
    injected: u64,
    /// Faults that replace the answer. Scripted ones are many, and leave in order.
    answers: VecDeque<ActiveFault>,
    others: VecDeque<ActiveFault>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, count: AtomicUsize::new(0), standing: Mutex::default() }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns whether any fault is active.
    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Activates a fault.
    ///
    /// # Panics
    /// If the fault contradicts itself.
    pub(crate) fn inject(&self, fault: Fault, now: SystemTime) -> ActiveFault {
        if let Some(contradiction) = fault.contradiction() {
            panic!("`{fault}` makes no sense: {contradiction}");
        }
        self.change(|standing| {
            standing.injected += 1;
            let ends_at = fault.lasting.and_then(|time| now.checked_add(time));
            let active =
                ActiveFault { id: FaultId(standing.injected), fault, met: 0, struck: 0, ends_at };
            standing.queue(&active).push_back(active.clone());
            active
        })
    }

    /// Returns the active faults in order of injection.
    pub(crate) fn list(&self, now: SystemTime) -> Vec<ActiveFault> {
        let standing = lock(&self.standing);
        let all = standing.answers.iter().chain(&standing.others);
        let mut all: Vec<_> = all.filter(|fault| !fault.has_ended(now)).cloned().collect();
        all.sort_by_key(ActiveFault::id);
        all
    }

    /// Returns the number of scripted answers that wait for a request.
    pub(crate) fn pending_answers(&self, now: SystemTime) -> usize {
        let standing = lock(&self.standing);
        let waiting = standing.answers.iter().filter(|fault| !fault.has_ended(now));
        let left = waiting.filter_map(ActiveFault::left).fold(0, u64::saturating_add);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Lifts the chosen faults, and returns their number.
    pub(crate) fn lift(&self, chosen: impl Fn(&ActiveFault) -> bool) -> usize {
        self.change(|standing| {
            let before = standing.len();
            standing.retain(|fault| !chosen(fault));
            before - standing.len()
        })
    }

    /// Passes the lowest active rate limit to `apply` while it holds the lock. Otherwise a slower
    /// caller could restore a limit after its removal.
    pub(crate) fn pass_rate_limit(&self, now: SystemTime, apply: impl FnOnce(Option<u32>)) {
        let standing = lock(&self.standing);
        let limits = standing.others.iter().filter(|fault| !fault.has_ended(now));
        apply(limits.filter_map(|fault| fault.fault.effect.rate_limit()).min());
    }

    /// Adds the faults that the request meets at this stage to `strike`.
    pub(crate) fn meet(&self, stage: Stage, meeting: &Meeting<'_>, strike: &mut Strike) {
        if !self.any() {
            return;
        }
        self.change(|standing| {
            let meets = |fault: &ActiveFault| {
                fault.fault.after_acceptance == (stage == Stage::Acceptance)
                    && meeting.is_in(&fault.fault.scope)
            };
            // Removes ended faults, so that they need no timer.
            let mut at = 0;
            while strike.answer.is_none()
                && let Some(fault) = standing.answers.get_mut(at)
            {
                if !fault.has_ended(meeting.now) && meets(fault) && fault.strikes(self.seed) {
                    strike.add(&fault.fault);
                }
                if fault.has_ended(meeting.now) {
                    standing.answers.remove(at);
                } else {
                    at += 1;
                }
            }
            for fault in &mut standing.others {
                if !fault.has_ended(meeting.now) && meets(fault) && fault.strikes(self.seed) {
                    strike.add(&fault.fault);
                }
            }
            standing.others.retain(|fault| !fault.has_ended(meeting.now));
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Standing) -> T) -> T {
        let mut standing = lock(&self.standing);
        let result = change(&mut standing);
        self.count.store(standing.len(), Ordering::Release);
        result
    }
}

impl Standing {
    fn queue(&mut self, fault: &ActiveFault) -> &mut VecDeque<ActiveFault> {
        if fault.fault.effect.takes_the_place_of_the_answer() {
            &mut self.answers
        } else {
            &mut self.others
        }
    }

    fn retain(&mut self, keep: impl Fn(&ActiveFault) -> bool) {
        self.answers.retain(&keep);
        self.others.retain(&keep);
    }

    fn len(&self) -> usize {
        self.answers.len() + self.others.len()
    }
}

impl Effect {
    fn rate_limit(&self) -> Option<u32> {
        match self {
            Self::RateLimit(requests) => Some(*requests),
            _ => None,
        }
    }
}

/// Returns a number from 0 to 1, the same on every machine for the same arguments. The mixer is
/// SplitMix64's finalizer, over everything that identifies this decision.
fn chance(seed: u64, fault: u64, request: u64) -> f64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let stream = mix(seed.wrapping_add(fault.wrapping_mul(GOLDEN)));
    let bits = mix(stream.wrapping_add(request.wrapping_add(1).wrapping_mul(GOLDEN)));
    // A float holds 53 bits exactly.
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}
