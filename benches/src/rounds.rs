//! Measures several subjects in turn.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::time::{ClockId, clock_gettime};

/// The measured part of the CPU time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpu {
    /// This thread.
    Thread,
    /// All threads of this process.
    Process,
    /// The child processes that have ended.
    Children,
}

impl Cpu {
    /// Returns the user and system time so far.
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

/// The cost of one round, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Wall-clock time.
    pub wall: f64,
    /// CPU time. Other programs do not change it.
    pub cpu: f64,
}

impl Cost {
    /// Measures `work`.
    pub fn of(cpu: Cpu, work: impl FnOnce()) -> Cost {
        let (wall, used) = (Instant::now(), cpu.used());
        work();
        Cost { cpu: (cpu.used() - used).as_secs_f64(), wall: wall.elapsed().as_secs_f64() }
    }

    /// Measures asynchronous work.
    pub async fn of_async(cpu: Cpu, work: impl AsyncFnOnce()) -> Cost {
        let (wall, used) = (Instant::now(), cpu.used());
        work().await;
        Cost { cpu: (cpu.used() - used).as_secs_f64(), wall: wall.elapsed().as_secs_f64() }
    }
}

/// The rounds of one subject, in the order of the runs.
#[derive(Clone, Debug, Default)]
pub struct Rounds(Vec<Cost>);

impl Rounds {
    /// Returns the median of one part of the costs.
    pub fn median(&self, side: impl Fn(&Cost) -> f64) -> f64 {
        Spread::of(self.0.iter().map(side)).median
    }

    /// Returns the ratio to another subject, round by round.
    pub fn ratio(&self, to: &Rounds, side: impl Fn(&Cost) -> f64) -> Spread {
        Spread::of(self.0.iter().zip(&to.0).map(|(one, other)| side(one) / side(other)))
    }

    /// Returns the ratio to another subject, round by round, after subtracting a third subject's
    /// cost from both.
    pub fn ratio_above(&self, floor: &Rounds, to: &Rounds, side: impl Fn(&Cost) -> f64) -> Spread {
        let rounds = self.0.iter().zip(&to.0).zip(&floor.0);
        Spread::of(
            rounds.map(|((one, other), floor)| {
                (side(one) - side(floor)) / (side(other) - side(floor))
            }),
        )
    }
}

/// Runs every subject once a round. Each round begins with another subject.
pub fn in_turn<const N: usize>(
    rounds: usize,
    subjects: [&mut dyn FnMut() -> Cost; N],
) -> [Rounds; N] {
    let mut costs = [const { Rounds(Vec::new()) }; N];
    // The first round is a warm-up, and does not count.
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

/// The median of many numbers, with the quartiles.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The lower quartile.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub high: f64,
}

impl Spread {
    /// Returns the spread of these numbers. There must be at least one.
    pub fn of(numbers: impl Iterator<Item = f64>) -> Spread {
        let mut numbers: Vec<f64> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        let last = numbers.len().checked_sub(1).expect("there is at least one round");
        let at = |quarter: usize| {
            let (low, high) = (last * quarter / 4, (last * quarter).div_ceil(4));
            (numbers[low] + numbers[high]) / 2.0
        };
        Spread { low: at(1), median: at(2), high: at(3) }
    }

    /// Returns the spread of the numbers multiplied by `factor`.
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
