//! A seeded random walk of one symbol's mid price, in whole ticks.
//!
//! The generator is SplitMix64, written out because its whole state is one number: it is saved with the price, and a
//! seed gives the same prices with every version of every library.

use super::Ticks;

/// A generator of numbers that a seed fixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dice {
    /// All there is to know of it.
    pub state: u64,
}

impl Dice {
    /// Starts from a seed.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A number from 0 up to, not including, `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }
}

/// A number for a name. FNV-1a: any spread will do, it only has to be the same everywhere.
pub(super) fn spread(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Where a walk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// The mid price, on its grid.
    pub mid: Ticks,
    /// The generator.
    pub dice: Dice,
    /// The price it is drawn back to.
    anchor: Ticks,
}

impl Walk {
    /// Starts at `start`; `name` makes the symbols of one seed walk apart.
    pub fn new(start: Ticks, seed: u64, name: &str) -> Self {
        Self {
            mid: start,
            dice: Dice::new(seed ^ spread(name)),
            anchor: start,
        }
    }

    /// Goes on where a saved walk stopped.
    #[must_use]
    pub fn resumed(self, mid: Ticks, state: u64) -> Self {
        Self {
            mid,
            dice: Dice { state },
            ..self
        }
    }

    /// One step: up to two hundredths of a per cent either way, drawn gently back to the start.
    pub fn step(&mut self) {
        let grid = self.mid.grid();
        let reach = (self.mid.0 / 5_000 / grid).max(1);
        let random = i64::try_from(self.dice.below(reach.unsigned_abs() * 2 + 1)).unwrap_or(reach) - reach;
        let pull = (self.anchor.0 - self.mid.0) / 4_000 / grid;
        let moved = self.mid.0 + (random + pull) * grid;
        self.set_mid(moved.clamp(self.anchor.0 / 4, self.anchor.0.saturating_mul(4)));
    }

    /// Puts the mid at `ticks`, rounded down to its grid and never below four steps of it.
    pub fn set_mid(&mut self, ticks: i64) {
        let grid = Ticks(ticks).grid();
        self.mid = Ticks((ticks - ticks.rem_euclid(grid)).max(4 * grid));
    }

    /// Half the distance between bid and ask: a hundredth of a per cent, a step of the grid at least.
    pub fn half_spread(&self) -> i64 {
        let grid = self.mid.grid();
        (self.mid.0 / 10_000 / grid).max(1) * grid
    }
}

#[cfg(test)]
mod tests {
    //! Where walks go.
    use super::*;

    #[test]
    fn the_same_seed_walks_the_same_way_and_another_does_not() {
        let path = |seed| {
            let mut walk = Walk::new(Ticks(2_300_000), seed, "AAPL");
            std::iter::repeat_with(|| {
                walk.step();
                walk.mid
            })
            .take(50)
            .collect::<Vec<_>>()
        };
        assert_eq!(path(7), path(7));
        assert_ne!(path(7), path(8));
    }

    #[test]
    fn a_long_walk_stays_on_the_grid_and_near_its_start() {
        for start in [300, 9_900, 10_000, 2_300_000, 50_000_000] {
            let mut walk = Walk::new(Ticks(start), 1, "X");
            for _ in 0..200_000 {
                walk.step();
                assert!(walk.mid.0 > walk.half_spread(), "{start}: {walk:?}");
                assert_eq!(walk.mid.0 % walk.mid.grid(), 0);
                assert!(walk.mid.0 <= start * 4);
            }
        }
    }
}
