//! The active faults, and which of them apply to a request.
//!
//! A fault matches a request in its scope. By its percentage it then applies or not. At most one
//! fault replaces the answer: the first that applies, in order of injection. All other faults that
//! apply work together.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use super::applied::AppliedFaults;
use super::fault::{Effect, Fault};
use super::target::FaultTarget;
use crate::sync::lock;

/// The number of a fault in its sandbox, used to [remove](crate::Sandbox::remove_fault) it. The
/// first fault is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FaultId(pub(crate) u64);

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An active fault, and how often it applied: see [`Sandbox::faults`](crate::Sandbox::faults).
#[derive(Debug, Clone)]
pub struct ActiveFault {
    id: FaultId,
    fault: Fault,
    matched: u64,
    applied: u64,
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

    /// Returns the number of matched requests: those in scope that no earlier fault answered.
    pub fn matched(&self) -> u64 {
        self.matched
    }

    /// Returns the number of requests to which the fault applied. Without a
    /// [percentage](Fault::percent) the fault applies to all matched requests.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Returns the number of requests left, if the fault is [limited](Fault::next).
    pub fn left(&self) -> Option<u64> {
        self.fault.next.map(|next| next.saturating_sub(self.matched))
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
        self.fault.next.is_some() && self.fault.effect.replaces_answer()
    }

    fn has_ended(&self, now: SystemTime) -> bool {
        self.left() == Some(0) || self.ends_at.is_some_and(|end| now >= end)
    }

    /// Counts a matched request, and returns whether the fault applies to it.
    fn applies(&mut self, seed: u64) -> bool {
        let applies = match self.fault.percent {
            None => true,
            Some(percent) => chance(seed, self.id.0, self.matched) * 100.0 < percent,
        };
        self.matched += 1;
        self.applied += u64::from(applies);
        applies
    }
}

/// When a fault applies.
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
    queues: Mutex<FaultQueues>,
}

#[derive(Default)]
struct FaultQueues {
    injected: u64,
    /// Faults that replace the answer. Scripted ones are many, and leave in order.
    answers: VecDeque<ActiveFault>,
    others: VecDeque<ActiveFault>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, count: AtomicUsize::new(0), queues: Mutex::default() }
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
        self.change(|queues| {
            queues.injected += 1;
            let ends_at = fault.lasting.and_then(|time| now.checked_add(time));
            let active = ActiveFault {
                id: FaultId(queues.injected),
                fault,
                matched: 0,
                applied: 0,
                ends_at,
            };
            queues.queue(&active).push_back(active.clone());
            active
        })
    }

    /// Returns the active faults in order of injection.
    pub(crate) fn list(&self, now: SystemTime) -> Vec<ActiveFault> {
        let queues = lock(&self.queues);
        let all = queues.answers.iter().chain(&queues.others);
        let mut all: Vec<_> = all.filter(|fault| !fault.has_ended(now)).cloned().collect();
        all.sort_by_key(ActiveFault::id);
        all
    }

    /// Returns the number of scripted answers that wait for a request.
    pub(crate) fn pending_answers(&self, now: SystemTime) -> usize {
        let queues = lock(&self.queues);
        let waiting = queues.answers.iter().filter(|fault| !fault.has_ended(now));
        let left = waiting.filter_map(ActiveFault::left).fold(0, u64::saturating_add);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Removes the chosen faults, and returns their number.
    pub(crate) fn remove(&self, chosen: impl Fn(&ActiveFault) -> bool) -> usize {
        self.change(|queues| {
            let before = queues.len();
            queues.retain(|fault| !chosen(fault));
            before - queues.len()
        })
    }

    /// Passes the lowest active rate limit to `apply` while it holds the lock. Otherwise a slower
    /// caller could restore a limit after its removal.
    pub(crate) fn apply_rate_limit(&self, now: SystemTime, apply: impl FnOnce(Option<u32>)) {
        let queues = lock(&self.queues);
        let limits = queues.others.iter().filter(|fault| !fault.has_ended(now));
        apply(limits.filter_map(|fault| fault.fault.effect.rate_limit()).min());
    }

    /// Adds the faults that apply to the request at this stage.
    pub(crate) fn select(
        &self,
        stage: Stage,
        target: &FaultTarget<'_>,
        applied: &mut AppliedFaults,
    ) {
        if !self.any() {
            return;
        }
        self.change(|queues| {
            let matches = |fault: &ActiveFault| {
                fault.fault.after_acceptance == (stage == Stage::Acceptance)
                    && target.is_in(&fault.fault.scope)
            };
            // Removes ended faults, so that they need no timer.
            let mut at = 0;
            while applied.answer.is_none()
                && let Some(fault) = queues.answers.get_mut(at)
            {
                if !fault.has_ended(target.now) && matches(fault) && fault.applies(self.seed) {
                    applied.add(&fault.fault);
                }
                if fault.has_ended(target.now) {
                    queues.answers.remove(at);
                } else {
                    at += 1;
                }
            }
            for fault in &mut queues.others {
                if !fault.has_ended(target.now) && matches(fault) && fault.applies(self.seed) {
                    applied.add(&fault.fault);
                }
            }
            queues.others.retain(|fault| !fault.has_ended(target.now));
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut FaultQueues) -> T) -> T {
        let mut queues = lock(&self.queues);
        let result = change(&mut queues);
        self.count.store(queues.len(), Ordering::Release);
        result
    }
}

impl FaultQueues {
    fn queue(&mut self, fault: &ActiveFault) -> &mut VecDeque<ActiveFault> {
        if fault.fault.effect.replaces_answer() { &mut self.answers } else { &mut self.others }
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
