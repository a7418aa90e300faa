//! Measures several subjects in turn.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::time::{ClockId, clock_gettime};

/// Whose CPU time is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpu {
    /// This thread's.
    Thread,
    /// That of all threads of this process.
    Process,
    /// That of the processes that this one started and that have ended.
    Children,
}

impl Cpu {
    /// What was used so far, by the program and by the system on its behalf.
    fn used(self) -> Duration {
        const READABLE: &str = "a process can read its own clocks";
        match self {
            Cpu::Thread => clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect(READABLE).into(),
            Cpu::Process => {
                clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect(READABLE).into()
            }
            Cpu::Children => {
                let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect(READABLE);
                [usage.user_time(), usage.system_time()].into_iter().map(duration).sum()
            }
        }
    }
}

fn duration(time: TimeVal) -> Duration {
    Duration::new(time.tv_sec().unsigned_abs(), time.tv_usec().unsigned_abs() as u32 * 1000)
}

/// What one round took, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// By the clock on the wall.
    pub wall: f64,
    /// Of the CPU. What other programs take away does not count.
    pub cpu: f64,
}

impl Cost {
    /// What `work` costs.
    pub fn of(cpu: Cpu, work: impl FnOnce()) -> Cost {
        let (wall, used) = (Instant::now(), cpu.used());
        work();
        Cost { cpu: (cpu.used() - used).as_secs_f64(), wall: wall.elapsed().as_secs_f64() }
    }

    /// What asynchronous work costs.
    pub async fn of_async(cpu: Cpu, work: impl AsyncFnOnce()) -> Cost {
        let (wall, used) = (Instant::now(), cpu.used());
        work().await;
        Cost { cpu: (cpu.used() - used).as_secs_f64(), wall: wall.elapsed().as_secs_f64() }
    }
}

/// The rounds of one subject, in the order they were run.
#[derive(Clone, Debug, Default)]
pub struct Rounds(Vec<Cost>);

impl Rounds {
    /// The median of one side of the costs.
    pub fn median(&self, side: impl Fn(&Cost) -> f64) -> f64 {
        Spread::of(self.0.iter().map(side)).median
    }

    /// The ratio to another subject, round by round.
    pub fn ratio(&self, to: &Rounds, side: impl Fn(&Cost) -> f64) -> Spread {
        Spread::of(self.0.iter().zip(&to.0).map(|(one, other)| side(one) / side(other)))
    }

    /// The ratio to another subject of what both cost above a third, round by round.
    pub fn ratio_above(&self, floor: &Rounds, to: &Rounds, side: impl Fn(&Cost) -> f64) -> Spread {
        let rounds = self.0.iter().zip(&to.0).zip(&floor.0);
        Spread::of(
            rounds.map(|((one, other), floor)| {
                (side(one) - side(floor)) / (side(other) - side(floor))
            }),
        )
    }
}

/// Runs every subject once a round, each round beginning with another one.
pub fn in_turn<const N: usize>(
    rounds: usize,
    subjects: [&mut dyn FnMut() -> Cost; N],
) -> [Rounds; N] {
    let mut costs = [const { Rounds(Vec::new()) }; N];
    // The first round warms everything up, and does not count.
    for round in 0..=rounds {
        for turn in 0..N {
            let subject = (round + turn) % N;
            let cost = subjects[subject]();
            if round > 0 {
                costs[subject].0.push(cost);
            }
        }
    }
    costs
}

/// The middle of many numbers, and how far half of them lie around it.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// A quarter lies below.
    pub low: f64,
    /// Half lies below.
    pub median: f64,
    /// A quarter lies above.
    pub high: f64,
}

impl Spread {
    /// Of these numbers, of which there must be one at least.
    pub fn of(numbers: impl Iterator<Item = f64>) -> Spread {
        let mut numbers: Vec<f64> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        let last = numbers.len().checked_sub(1).expect("at least one round was run");
        let at = |quarter: usize| {
            let (low, high) = (last * quarter / 4, (last * quarter).div_ceil(4));
            (numbers[low] + numbers[high]) / 2.0
        };
        Spread { low: at(1), median: at(2), high: at(3) }
    }

    /// The same of numbers that are so many times as large.
    pub fn times(self, factor: f64) -> Spread {
        let Spread { low, median, high } = self;
        Spread { low: low * factor, median: median * factor, high: high * factor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_in_the_middle() {
        let spread = Spread::of([5.0, 1.0, 4.0, 2.0, 3.0].into_iter());
        assert_eq!((spread.low, spread.median, spread.high), (2.0, 3.0, 4.0));
        assert_eq!(Spread::of([1.0, 2.0].into_iter()).median, 1.5);
    }

    #[test]
    fn subjects_take_turns_and_the_first_round_does_not_count() {
        let order = std::cell::RefCell::new(Vec::new());
        let subject = |name: char| {
            let order = &order;
            move || {
                order.borrow_mut().push(name);
                Cost { wall: 1.0, cpu: 2.0 }
            }
        };
        let [a, b] = in_turn(2, [&mut subject('a'), &mut subject('b')]);
        assert_eq!(*order.borrow(), ['a', 'b', 'b', 'a', 'a', 'b']);
        assert_eq!((a.0.len(), b.0.len()), (2, 2));
        assert_eq!(a.ratio(&b, |cost| cost.wall).median, 1.0);
    }
}
