//! Open orders as the close looks at them, what it wants of each, and what it asks and reports about them.

use bus::NewEvent;
use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::{RequestId, Timestamp};
use sqlx::FromRow;
use tracing::warn;
use uuid::Uuid;
use wire::events::v1;

use crate::expiry;

/// Who asks, in events and logs.
const NAME: &str = "end_of_day";
/// The venue's name in reports of the day where no exchange can be reached from here.
pub(crate) const VENUE: &str = "daybook";
/// Open orders read at once: a bounded statement, however many there are.
pub(super) const LOOK: i64 = 5_000;

/// An open order as the close looks at it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct OpenRow {
    pub(super) account_id: Uuid,
    pub(super) order_id: Uuid,
    pub(super) symbol: String,
    pub(super) time_in_force: Option<String>,
    pub(super) session_date: Option<NaiveDate>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) status: String,
    pub(super) request_id: String,
    pub(super) trace_context: Option<String>,
}

/// What the close wants of an open order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Its end.
    End,
    /// A word whether the exchange has it.
    Word,
    /// That it rests until the next session.
    Rest,
    /// Nothing: it rests, waits for another session, or is another date's.
    Nothing,
}

impl OpenRow {
    fn is_gtc(&self) -> bool {
        self.time_in_force.as_deref() == Some("gtc")
    }

    /// What this date's close wants of it (EOD-4: an order belongs to the session fixed at acceptance).
    pub(super) fn wanted(&self, date: NaiveDate, now: Timestamp) -> Wanted {
        let own_time_is_over = self.expires_at.is_some_and(|end| end <= now);
        let of_today = self.session_date == Some(date);
        let began = self.session_date.is_some_and(|session| session <= date);
        match self.status.as_str() {
            _ if own_time_is_over || (of_today && !self.is_gtc()) => Wanted::End,
            "pending_new" if self.is_gtc() && began => Wanted::Word,
            "new" | "partially_filled" if self.is_gtc() && began => Wanted::Rest,
            _ => Wanted::Nothing,
        }
    }

    /// In words, for the list of what is unresolved.
    pub(super) fn why(&self, wanted: Wanted) -> String {
        match wanted {
            Wanted::Word => "the exchange did not say whether it has the order".to_owned(),
            _ if self.status == "accepted" => "it was never heard of again after it was accepted".to_owned(),
            _ => "its time is over, and the exchange did not say that it ended".to_owned(),
        }
    }

    fn request(&self) -> Option<RequestId> {
        let request = RequestId::new(&self.request_id).ok()?;
        Some(request.traced_as(self.trace_context.as_deref()))
    }
}

/// A page of all open orders, by key.
pub(super) async fn open_page(
    conn: &mut PgConnection,
    after: Option<(Uuid, Uuid)>,
    limit: i64,
) -> Result<Vec<OpenRow>, DbError> {
    let (account, order) = after.unwrap_or_default();
    let rows = sqlx::query_as!(
        OpenRow,
        "select w.account_id, w.order_id, w.symbol, w.time_in_force, w.session_date, w.expires_at, o.status, o.request_id,
                o.trace_context
           from (select account_id, order_id, symbol, time_in_force, session_date, expires_at
                   from open_orders
                  where (account_id, order_id) > ($1, $2)
                  order by account_id, order_id
                  limit $3) w
           join orders o using (order_id)
          order by w.account_id, w.order_id",
        account,
        order,
        limit,
    );
    Ok(rows.fetch_all(conn).await?)
}

/// What is asked of the executor: to look the order up, and to cancel it once more where its end is wanted.
pub(super) fn questions(row: &OpenRow, wanted: Wanted, now: Timestamp) -> Vec<NewEvent> {
    let Some(request) = row.request() else {
        warn!(order.id = %row.order_id, "order {} cannot be asked about: its request id", row.order_id);
        return vec![];
    };
    let look_up = v1::LookUpRequested {
        order_id: row.order_id,
        account_id: row.account_id,
        symbol: row.symbol.clone(),
        asked_by: NAME.to_owned(),
        why: row.why(wanted),
        requested_at: now,
    };
    let look_up = NewEvent::look_up_requested(&look_up, request.clone());
    if wanted != Wanted::End {
        return vec![look_up];
    }
    let cancel = v1::CancelRequested {
        order_id: row.order_id,
        account_id: row.account_id,
        symbol: row.symbol.clone(),
        asked_by: expiry::ASKED_BY.to_owned(),
        requested_at: now,
    };
    vec![look_up, NewEvent::cancel_requested(&cancel, request)]
}

/// A report about an order, from the day itself and not from the exchange.
pub(crate) fn report_of_day(
    order_id: Uuid,
    account_id: Uuid,
    fact: v1::Fact,
    venue: &str,
    request: RequestId,
    now: Timestamp,
) -> NewEvent {
    let report = v1::VenueReport {
        venue: venue.to_owned(),
        order_id,
        account_id,
        fact,
        source: NAME.to_owned(),
        received_at: now,
    };
    NewEvent::venue_report(&report, request)
}

pub(super) fn report(row: &OpenRow, fact: v1::Fact, venue: &str, now: Timestamp) -> Option<NewEvent> {
    let request = row.request()?;
    Some(report_of_day(row.order_id, row.account_id, fact, venue, request, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(time_in_force: &str, session: &str, status: &str, expires_at: Option<&str>) -> OpenRow {
        OpenRow {
            account_id: Uuid::nil(),
            order_id: Uuid::nil(),
            symbol: "XYZ".to_owned(),
            time_in_force: Some(time_in_force.to_owned()),
            session_date: session.parse().ok(),
            expires_at: expires_at.and_then(|at| at.parse().ok()),
            status: status.to_owned(),
            request_id: "r-1".to_owned(),
            trace_context: None,
        }
    }

    /// What the close of Monday, 23 November 2026, wants at 16:10 New York.
    fn wanted(row: &OpenRow) -> Wanted {
        let now = "2026-11-23T21:10:00Z".parse().expect("a time");
        row.wanted("2026-11-23".parse().expect("a date"), now)
    }

    #[test]
    fn eod_4_the_close_wants_nothing_of_the_next_sessions_orders() {
        assert_eq!(wanted(&row("day", "2026-11-24", "accepted", None)), Wanted::Nothing);
        assert_eq!(
            wanted(&row("gtc", "2026-11-24", "accepted", Some("2027-02-19T21:15:00Z"))),
            Wanted::Nothing
        );
        assert_eq!(wanted(&row("day", "2026-11-23", "accepted", None)), Wanted::End);
    }

    #[test]
    fn whatever_ends_with_its_session_has_to_end_however_it_stands() {
        for status in ["accepted", "pending_new", "new", "partially_filled"] {
            for time_in_force in ["day", "ioc", "fok"] {
                assert_eq!(
                    wanted(&row(time_in_force, "2026-11-23", status, None)),
                    Wanted::End,
                    "{time_in_force} {status}"
                );
            }
        }
    }

    #[test]
    fn tif_2_a_good_till_canceled_order_rests_unless_its_own_time_is_over_or_it_is_in_doubt() {
        let gtc = |status, expires_at| wanted(&row("gtc", "2026-11-20", status, Some(expires_at)));
        assert_eq!(gtc("new", "2027-02-19T21:15:00Z"), Wanted::Rest);
        assert_eq!(gtc("done_for_day", "2027-02-19T21:15:00Z"), Wanted::Nothing);
        assert_eq!(gtc("pending_new", "2027-02-19T21:15:00Z"), Wanted::Word);
        assert_eq!(gtc("new", "2026-11-23T21:00:00Z"), Wanted::End);
        assert_eq!(gtc("done_for_day", "2026-11-23T21:00:00Z"), Wanted::End);
    }
}
