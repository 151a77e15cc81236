//! Both sides of a comparison in turn, and what may be said about their ratio.
//!
//! All sides take a slice each round, in an order of its own, so that whatever else the machine does
//! meets them alike. A round gives one ratio; the answer is their median, and the interval of order
//! statistics that holds the true one with 95 % (all of it, for few rounds).

use std::time::Duration;

use super::pool::xorshift;
use crate::failure::Failure;

/// What one side did in one slice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) count: u64,
    pub(crate) spent: Duration,
}

impl Sample {
    /// A second.
    pub(crate) fn rate(self) -> f64 {
        self.count as f64 / self.spent.as_secs_f64()
    }

    /// Nanoseconds each.
    pub(crate) fn ns_each(self) -> f64 {
        self.spent.as_nanos() as f64 / self.count as f64
    }
}

/// One side of a comparison.
pub(crate) trait Side {
    /// Works until the slice is over, or as long as there is work.
    fn work(&mut self, slice: Duration) -> Result<Sample, Failure>;
}

impl<F: FnMut(Duration) -> Result<Sample, Failure>> Side for F {
    fn work(&mut self, slice: Duration) -> Result<Sample, Failure> {
        self(slice)
    }
}

/// All sides in turn: the samples of each, a round behind the other. A round before the first
/// warms up and does not count.
pub(crate) fn take_turns(
    sides: &mut [Box<dyn Side + '_>],
    rounds: u32,
    slice: Duration,
) -> Result<Vec<Vec<Sample>>, Failure> {
    let mut samples = vec![Vec::new(); sides.len()];
    for side in sides.iter_mut() {
        side.work(slice / 4)?;
    }
    let (mut order, mut state) = ((0..sides.len()).collect::<Vec<_>>(), ORDER_SEED);
    for _ in 0..rounds {
        shuffle(&mut order, &mut state);
        for &at in &order {
            samples[at].push(sides[at].work(slice)?);
        }
    }
    Ok(samples)
}

/// The same orders in every run.
const ORDER_SEED: u64 = 0x2545_f491_4f6c_dd1d;

/// Fisher and Yates.
fn shuffle(order: &mut [usize], state: &mut u64) {
    for last in (1..order.len()).rev() {
        order.swap(last, (xorshift(state) % (last as u64 + 1)) as usize);
    }
}

/// A median and the interval around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Middle {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Middle {
    /// # Panics
    /// Without values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        assert!(count > 0, "every side took a slice");
        let skipped = order_skipped(count);
        let upper = sorted[count / 2];
        let median = if count % 2 == 1 { upper } else { (sorted[count / 2 - 1] + upper) / 2.0 };
        Self { median, low: sorted[skipped], high: sorted[count - 1 - skipped] }
    }

    /// Of the ratios of pairs.
    pub(crate) fn of_ratios(ours: &[Sample], others: &[Sample], value: fn(Sample) -> f64) -> Self {
        Self::of(ours.iter().zip(others).map(|(ours, other)| value(*ours) / value(*other)))
    }
}

/// How many of the smallest and of the largest values lie outside the interval: the most for which
/// a fair coin thrown `count` times falls so one-sidedly in at most 1 of 20 cases.
fn order_skipped(count: usize) -> usize {
    let mut term = 0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let mut tail = 0.0;
    for skipped in 0..count / 2 {
        tail += term;
        if 2.0 * tail > 0.05 {
            return skipped.saturating_sub(1);
        }
        term *= (count - skipped) as f64 / (skipped + 1) as f64;
    }
    (count / 2).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The interval is that of the table of the sign test: all of 6 values, the 2nd to the 8th of
    /// 9, the 4th to the 12th of 15.
    #[test]
    fn interval_is_that_of_the_sign_test() {
        let interval = |count: u32| {
            let middle = Middle::of((1..=count).map(f64::from));
            (middle.low, middle.median, middle.high)
        };
        assert_eq!(interval(1), (1.0, 1.0, 1.0));
        assert_eq!(interval(2), (1.0, 1.5, 2.0));
        assert_eq!(interval(6), (1.0, 3.5, 6.0));
        assert_eq!(interval(9), (2.0, 5.0, 8.0));
        assert_eq!(interval(15), (4.0, 8.0, 12.0));
    }

    /// Every side takes one turn a round, in orders that differ.
    #[test]
    fn turns_are_taken_in_changing_order() {
        let taken = std::cell::RefCell::new(Vec::new());
        let side = |name: char| {
            let taken = &taken;
            Box::new(move |_: Duration| {
                taken.borrow_mut().push(name);
                Ok(Sample { count: 6, spent: Duration::from_secs(2) })
            })
        };
        let mut sides: Vec<Box<dyn Side + '_>> = vec![side('a'), side('b'), side('c')];
        let samples = take_turns(&mut sides, 20, Duration::from_secs(4)).expect("no side fails");
        drop(sides);
        let orders: Vec<Vec<char>> = taken.take().chunks(3).map(<[char]>::to_vec).collect();
        assert_eq!((orders.len(), &orders[0]), (21, &vec!['a', 'b', 'c']));
        let mut distinct = orders.clone();
        distinct.sort();
        distinct.dedup();
        assert!(distinct.len() > 3, "{orders:?}");
        for mut order in orders {
            order.sort_unstable();
            assert_eq!(order, ['a', 'b', 'c']);
        }
        assert_eq!((samples[1].len(), samples[1][0].rate()), (20, 3.0));
    }
}
