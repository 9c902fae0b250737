//! Named leases, for work that is not a partition: a venue's intake, a job. And how long an owner may act.

use std::time::{Duration, Instant};

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::rows::interval;
use crate::{Bus, BusError};

/// How long an owner may act, by its own monotonic clock.
///
/// The database's clock decides who owns; this one only makes an owner stop in time, one fifth before the end, counted
/// from before it asked. It needs no agreement between the two clocks, only that they run about equally fast.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term {
    lease: Duration,
    due: Option<Instant>,
    end: Option<Instant>,
}

impl Term {
    pub(crate) fn new(lease: Duration) -> Self {
        Term {
            lease,
            due: None,
            end: None,
        }
    }

    /// Time to ask the database.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due.is_none_or(|due| now >= due)
    }

    /// Not yet too near the end.
    pub(crate) fn may_act(&self, now: Instant) -> bool {
        self.end.is_some_and(|end| now < end)
    }

    /// The database said yes to a question asked at `asked`. Who does not have its share yet asks sooner again.
    pub(crate) fn renewed(&mut self, asked: Instant, complete: bool) {
        let pause = if complete { self.lease / 3 } else { self.lease / 10 };
        self.due = Some(asked + pause);
        self.end = Some(asked + self.lease * 4 / 5);
    }

    /// The database said no.
    pub(crate) fn refused(&mut self, asked: Instant) {
        self.due = Some(asked + self.lease / 10);
        self.end = None;
    }

    pub(crate) fn look_now(&mut self) {
        self.due = None;
    }
}

/// A contender for a lease, or its holder.
pub struct NamedLease {
    bus: Bus,
    name: String,
    owner: Uuid,
    epoch: Option<i64>,
    term: Term,
}

impl NamedLease {
    pub(crate) fn new(bus: Bus, name: String, owner: Uuid) -> Self {
        let term = Term::new(bus.settings().lease);
        NamedLease {
            bus,
            name,
            owner,
            epoch: None,
            term,
        }
    }

    /// Acquires or renews when that is due, else does nothing. True while it may act.
    pub async fn keep(&mut self) -> Result<bool, BusError> {
        if self.term.is_due(Instant::now()) && !self.renew().await? {
            self.acquire().await?;
        }
        Ok(self.is_held())
    }

    /// Takes the lease if nobody has it, under a new epoch. Of two at once, one wins.
    ///
    /// A lease that runs is looked at first: the conflict alone would wait for its holder's transaction.
    pub async fn acquire(&mut self) -> Result<bool, BusError> {
        let asked = Instant::now();
        self.epoch = sqlx::query_scalar!(
            "insert into leases as l (name, owner, epoch, lease_until)
             select $1, $2, 1, daybook_now() + $3
              where not exists (select from leases
                                 where name = $1
                                   and owner is distinct from $2
                                   and lease_until >= daybook_now())
                 on conflict (name) do update
                set owner = excluded.owner, epoch = l.epoch + 1, lease_until = excluded.lease_until
              where l.lease_until < daybook_now()
                 or l.owner = excluded.owner
          returning epoch",
            self.name,
            self.owner,
            interval(self.term.lease),
        )
        .fetch_optional(self.bus.pool())
        .await?;
        if self.epoch.is_some() {
            fail::fail_point!("lease::acquired");
        }
        self.note(asked, self.epoch.is_some());
        Ok(self.epoch.is_some())
    }

    /// Prolongs it under the same epoch; false when it is not, or no longer, this one's.
    pub async fn renew(&mut self) -> Result<bool, BusError> {
        let Some(epoch) = self.epoch else { return Ok(false) };
        let asked = Instant::now();
        let renewed = sqlx::query!(
            "update leases
                set lease_until = daybook_now() + $4
              where name = $1
                and owner = $2
                and epoch = $3",
            self.name,
            self.owner,
            epoch,
            interval(self.term.lease),
        );
        let kept = renewed.execute(self.bus.pool()).await?.rows_affected() == 1;
        if !kept {
            self.epoch = None;
        }
        self.note(asked, kept);
        Ok(kept)
    }

    /// Gives it back, so that nobody waits for its end.
    pub async fn release(&mut self) -> Result<(), BusError> {
        fail::fail_point!("lease::release");
        self.epoch = None;
        self.term = Term::new(self.term.lease);
        let freed = sqlx::query!(
            "update leases set owner = null, lease_until = '-infinity' where name = $1 and owner = $2",
            self.name,
            self.owner,
        );
        freed.execute(self.bus.pool()).await?;
        Ok(())
    }

    /// True while it may act, by its own clock.
    pub fn is_held(&self) -> bool {
        self.epoch.is_some() && self.term.may_act(Instant::now())
    }

    /// The epoch it is held under.
    pub fn epoch(&self) -> Option<i64> {
        self.epoch
    }

    /// To be called in each transaction of the holder: nobody takes over until it ends.
    ///
    /// # Errors
    /// [`BusError::Fenced`] when somebody took over already.
    pub async fn check(&self, conn: &mut PgConnection) -> Result<(), BusError> {
        let epoch = self.epoch.ok_or(BusError::Fenced)?;
        let held = sqlx::query_scalar!(
            "select name from leases where name = $1 and owner = $2 and epoch = $3 for share",
            self.name,
            self.owner,
            epoch,
        );
        held.fetch_optional(conn).await?.map(|_| ()).ok_or(BusError::Fenced)
    }

    fn note(&mut self, asked: Instant, held: bool) {
        if held {
            self.term.renewed(asked, true)
        } else {
            self.term.refused(asked)
        }
    }
}

/// Frees every lease of these owners.
pub(crate) async fn release_all(pool: &PgPool, owners: &[Uuid]) -> Result<(), BusError> {
    sqlx::query!(
        "update leases set owner = null, lease_until = '-infinity' where owner = any($1)",
        owners
    )
    .execute(pool)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// lease::renew_failed: without an answer it stops before the database lets anybody else in.
    #[test]
    fn an_owner_stops_before_its_lease_ends() {
        let begun = Instant::now();
        let mut term = Term::new(10 * SECOND);
        assert!(
            term.is_due(begun) && !term.may_act(begun),
            "owns nothing before it asked"
        );
        term.renewed(begun, true);
        assert!(term.may_act(begun + 7 * SECOND));
        assert!(!term.may_act(begun + 8 * SECOND));
    }

    #[test]
    fn a_lease_is_renewed_at_a_third_and_asked_for_sooner_while_incomplete() {
        let begun = Instant::now();
        let mut term = Term::new(9 * SECOND);
        term.renewed(begun, true);
        assert!(!term.is_due(begun + 2 * SECOND) && term.is_due(begun + 3 * SECOND));
        term.renewed(begun, false);
        assert!(term.is_due(begun + SECOND));
        term.refused(begun);
        assert!(term.is_due(begun + SECOND) && !term.may_act(begun));
    }
}
