//! What all open orders of the firm are worth, about: for the firm's own limit (RSK-3).
//!
//! The exact sum would be a row that every order of every account writes. So it is read now and then in the background, and
//! what this process takes meanwhile is added: it is never too low by an order of this process, too low by what other
//! processes took within the last moment, and too high by what ended since. How often it is read depends on how long
//! that takes, so that it never costs more than a few percent of a connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chassis::step::{Progress, Step, StepError};
use db::{DbError, PgConnection, PgPool};
use domain::Money;

/// From one look to the next, at least.
pub(crate) const EVERY: Duration = Duration::from_millis(500);
/// A look that takes long is repeated after so many times as long.
const REST: u32 = 20;

/// The sum; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct FirmOpen(Arc<Mutex<Sum>>);

#[derive(Debug, Default)]
struct Sum {
    /// As the database last said.
    known: Option<Money>,
    /// Taken by this process since that look began.
    since: Money,
    /// Taken by this process since the look under way began.
    during: Money,
}

impl FirmOpen {
    /// The sum as far as it is known here; read on this connection when nothing is known yet.
    pub(crate) async fn about(&self, conn: &mut PgConnection) -> Result<Money, DbError> {
        if let Some(sum) = self.known() {
            return Ok(sum);
        }
        self.read(conn).await?;
        Ok(self.known().unwrap_or_default())
    }

    /// An order of this process is taken.
    pub(crate) fn add(&self, value: Money) {
        let mut sum = self.sum();
        sum.since = plus(sum.since, value);
        sum.during = plus(sum.during, value);
    }

    fn known(&self) -> Option<Money> {
        let sum = self.sum();
        Some(plus(sum.known?, sum.since))
    }

    async fn read(&self, conn: &mut PgConnection) -> Result<(), DbError> {
        self.sum().during = Money::ZERO;
        let known = orders::open_value_of_all(conn).await?;
        let mut sum = self.sum();
        // Orders taken during the look may be in it or not: they count twice rather than not at all.
        (sum.known, sum.since) = (Some(known), sum.during);
        Ok(())
    }

    fn sum(&self) -> MutexGuard<'_, Sum> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn plus(sum: Money, value: Money) -> Money {
    // Beyond all numbers it is beyond the limit, too.
    sum.plus(value).unwrap_or(sum)
}

/// Reads the sum again and again.
pub(crate) struct FollowFirm {
    pool: PgPool,
    firm: FirmOpen,
    rests_until: Option<Instant>,
}

impl FollowFirm {
    pub(crate) const fn new(pool: PgPool, firm: FirmOpen) -> Self {
        FollowFirm {
            pool,
            firm,
            rests_until: None,
        }
    }
}

impl Step for FollowFirm {
    fn name(&self) -> &'static str {
        "firm-open-value"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        let begun = Instant::now();
        if self.rests_until.is_some_and(|until| begun < until) {
            return Ok(Progress::Idle);
        }
        let mut conn = self.pool.acquire().await?;
        self.firm.read(&mut conn).await?;
        self.rests_until = Some(begun + begun.elapsed() * REST);
        Ok(Progress::Idle)
    }
}

#[cfg(test)]
mod tests {
    //! What counts while a look is under way.
    use super::*;

    fn dollars(n: i64) -> Money {
        Money::from_decimal(n.into())
    }

    #[test]
    fn rsk_3_what_is_taken_during_a_look_counts_twice_rather_than_not_at_all() {
        let firm = FirmOpen::default();
        assert_eq!(firm.known(), None);
        firm.add(dollars(5));
        firm.sum().during = Money::ZERO;
        firm.add(dollars(7));
        let mut sum = firm.sum();
        (sum.known, sum.since) = (Some(dollars(100)), sum.during);
        drop(sum);
        assert_eq!(firm.known(), Some(dollars(107)));
        firm.add(dollars(1));
        assert_eq!(firm.known(), Some(dollars(108)));
    }
}
