//! The faults that stand, and which of them a request meets.
//!
//! Those that take the place of the answer are tried in the order in which they were injected, until
//! one strikes. All others that strike apply together.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use super::fault::{Effect, Fault};
use super::meeting::Meeting;
use super::strike::Strike;
use crate::sync::lock;

/// The number of a fault in its sandbox, by which it is [lifted](crate::Sandbox::lift). The first
/// that is injected is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FaultId(pub(crate) u64);

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A fault that stands, and how it has done so far: see [`Sandbox::faults`](crate::Sandbox::faults).
#[derive(Debug, Clone)]
pub struct ActiveFault {
    id: FaultId,
    fault: Fault,
    met: u64,
    struck: u64,
    ends_at: Option<SystemTime>,
}

impl ActiveFault {
    /// Its number.
    pub fn id(&self) -> FaultId {
        self.id
    }

    /// What was injected.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// How many requests it has met: those that it is for, and that no earlier fault took from it.
    pub fn met(&self) -> u64 {
        self.met
    }

    /// How many of these it has struck. Without a [percentage](Fault::percent), all.
    pub fn struck(&self) -> u64 {
        self.struck
    }

    /// How many requests it will still meet, where that is [limited](Fault::next).
    pub fn left(&self) -> Option<u64> {
        self.fault.next.map(|next| next.saturating_sub(self.met))
    }

    /// When it ends by itself, where it [lasts](Fault::lasting) for a time.
    pub fn ends_at(&self) -> Option<SystemTime> {
        self.ends_at
    }

    /// What it does, in the words of the text form.
    pub(crate) fn effect(&self) -> String {
        self.fault.effect.to_string()
    }

    /// Whether it is an answer for the next so many requests.
    pub(crate) fn is_scripted_answer(&self) -> bool {
        self.fault.next.is_some() && self.fault.effect.takes_the_place_of_the_answer()
    }

    fn has_ended(&self, now: SystemTime) -> bool {
        self.left() == Some(0) || self.ends_at.is_some_and(|end| now >= end)
    }

    /// Whether it strikes, now that it has met another request.
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
    /// Before the request is looked at.
    Arrival,
    /// After what it asks for was accepted.
    Acceptance,
}

/// The faults of one sandbox.
pub(crate) struct Faults {
    seed: u64,
    /// How many there are: a request that meets none is to cost no lock.
    count: AtomicUsize,
    standing: Mutex<Standing>,
}

#[derive(Default)]
struct Standing {
    injected: u64,
    /// Those that take the place of the answer. Many are scripted one by one and leave in order.
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

    /// Whether there is anything to meet.
    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Lets a fault stand from now on.
    ///
    /// # Panics
    /// If it contradicts itself.
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

    /// The faults that stand, in the order in which they were injected.
    pub(crate) fn list(&self, now: SystemTime) -> Vec<ActiveFault> {
        let standing = lock(&self.standing);
        let all = standing.answers.iter().chain(&standing.others);
        let mut all: Vec<_> = all.filter(|fault| !fault.has_ended(now)).cloned().collect();
        all.sort_by_key(ActiveFault::id);
        all
    }

    /// How many answers wait for their requests.
    pub(crate) fn pending_answers(&self, now: SystemTime) -> usize {
        let standing = lock(&self.standing);
        let waiting = standing.answers.iter().filter(|fault| !fault.has_ended(now));
        let left = waiting.filter_map(ActiveFault::left).fold(0, u64::saturating_add);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Lifts those that are chosen, and says how many they were.
    pub(crate) fn lift(&self, chosen: impl Fn(&ActiveFault) -> bool) -> usize {
        self.change(|standing| {
            let before = standing.len();
            standing.retain(|fault| !chosen(fault));
            before - standing.len()
        })
    }

    /// Tells the lowest of the limits that stand in the place of the app's own, before any fault comes
    /// or goes: who asked earlier would else have the last word with a limit that was lifted meanwhile.
    pub(crate) fn tell_rate_limit(&self, now: SystemTime, tell: impl FnOnce(Option<u32>)) {
        let standing = lock(&self.standing);
        let limits = standing.others.iter().filter(|fault| !fault.has_ended(now));
        tell(limits.filter_map(|fault| fault.fault.effect.rate_limit()).min());
    }

    /// What the request meets at this stage is added to what it has met before.
    pub(crate) fn meet(&self, stage: Stage, meeting: &Meeting<'_>, strike: &mut Strike) {
        if !self.any() {
            return;
        }
        self.change(|standing| {
            let meets = |fault: &ActiveFault| {
                fault.fault.after_acceptance == (stage == Stage::Acceptance)
                    && meeting.is_in(&fault.fault.scope)
            };
            // Ended faults leave when they are come by.
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

/// A number from 0 to 1, the same for the same arguments on every machine: the finalizer of
/// SplitMix64, over what tells this decision from all others.
fn chance(seed: u64, fault: u64, request: u64) -> f64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let stream = mix(seed.wrapping_add(fault.wrapping_mul(GOLDEN)));
    let bits = mix(stream.wrapping_add(request.wrapping_add(1).wrapping_mul(GOLDEN)));
    // As many bits as a float holds exactly.
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}
