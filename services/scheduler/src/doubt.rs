//! Which open order looks wrong, and what to ask about it.
//!
//! | what is seen                                                | asked of the executor              |
//! |-------------------------------------------------------------|------------------------------------|
//! | accepted, in its session, and nobody filed it               | to file it, once more              |
//! | its submission has been in doubt for long                   | to look it up                      |
//! | a cancel was asked for and no answer came                   | to look it up, then to cancel again |
//! | a replace was asked for and no answer came                  | to look it up                      |
//! | the venue said it is over, and some of its fills are not here | to look it up                    |
//! | it is open here, and the venue does not list it as open     | to look it up                      |
//! | its session is over and the venue says nothing              | to look it up                      |

use std::time::Duration;

use chrono::{NaiveDate, TimeDelta};
use domain::calendar::{Calendar, SessionDate};
use domain::{OrderStatus, TimeInForce, Timestamp};

/// How long things may take before they look wrong.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From acceptance, in session, to the executor's filing.
    pub filing: Duration,
    /// From the first doubt to an answer.
    pub in_doubt: Duration,
    /// From the wish to end an order to its end.
    pub cancel: Duration,
    /// From the venue's end of an order to the fills it counted.
    pub fills: Duration,
    /// From an order's last change to a list of the venue that has to have it.
    pub listed: Duration,
    /// From the session's end to the end of its day orders.
    pub close: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let half_a_minute = Duration::from_secs(30);
        Patience {
            filing: half_a_minute,
            in_doubt: half_a_minute,
            cancel: half_a_minute,
            fills: half_a_minute,
            listed: Duration::from_secs(10),
            close: Duration::from_secs(600),
        }
    }
}

/// What is known of an open order.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Where it stands, wishes left aside.
    pub status: OrderStatus,
    /// How long it works.
    pub time_in_force: TimeInForce,
    /// The session it belongs to.
    pub session_date: NaiveDate,
    /// When it was accepted.
    pub submitted_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When somebody first asked to end it.
    pub end_requested_at: Option<Timestamp>,
    /// When its replace was asked for, until that is answered.
    pub replace_requested_at: Option<Timestamp>,
    /// Whether the venue said that it is over.
    pub end_known: bool,
    /// Whether the executor has filed it.
    pub filed: bool,
    /// Whether the venue listed its open orders, well after this one last changed, without it.
    pub unlisted: bool,
}

/// What to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// The order's own event again: the executor files an order once, however often it is told.
    FileAgain,
    /// What the venue says under the order's key.
    LookUp,
    /// The same, and the cancel again.
    LookUpAndCancel,
}

/// What looks wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// What to ask.
    pub ask: Ask,
    /// In words an operator can read.
    pub why: &'static str,
}

/// What looks wrong about an order at `now`, if anything does.
pub fn doubt(order: &Seen, now: Timestamp, calendar: &Calendar, patience: &Patience) -> Option<Doubt> {
    let look_up = |why| Some(Doubt { ask: Ask::LookUp, why });
    let is_over = |since: Timestamp, patience: Duration| now - since > span(patience);
    let session = SessionDate::new(order.session_date);
    let closes = calendar.ends_at(session)?;
    // A session that was taken away opens no more: nothing is lost before it would have ended.
    let opens = calendar.session_bounds(session).map_or(closes, |(opens, _)| opens);
    if !order.filed {
        // An order for a later session is filed at once, too; but nothing is lost before that session.
        let since = order.submitted_at.max(opens);
        let why = "accepted and not filed by the executor";
        return is_over(since, patience.filing).then_some(Doubt {
            ask: Ask::FileAgain,
            why,
        });
    }
    if order.end_known && is_over(order.updated_at, patience.fills) {
        return look_up("over at the venue, but fills it counted are missing");
    }
    if order
        .end_requested_at
        .is_some_and(|asked| is_over(asked, patience.cancel))
    {
        return Some(Doubt {
            ask: Ask::LookUpAndCancel,
            why: "asked to end and not answered",
        });
    }
    if order
        .replace_requested_at
        .is_some_and(|asked| is_over(asked, patience.cancel))
    {
        return look_up("asked to be replaced and not answered");
    }
    if order.status == OrderStatus::PendingNew && is_over(order.updated_at, patience.in_doubt) {
        return look_up("in doubt for too long");
    }
    let works_there = matches!(order.status, OrderStatus::New | OrderStatus::PartiallyFilled) && !order.end_known;
    if order.unlisted && works_there {
        return look_up("open here and not listed as open by the venue");
    }
    let ends_with_session = order.time_in_force != TimeInForce::Gtc;
    if ends_with_session && is_over(closes, patience.close) {
        return look_up("its session is over and the venue said nothing");
    }
    None
}

fn span(patience: Duration) -> TimeDelta {
    TimeDelta::from_std(patience).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    //! When an order looks wrong.
    use super::*;
    use domain::calendar::Exception;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a literal of this file")
    }

    /// A filed day order of Monday, 23 November 2026, working since 15:00 UTC.
    fn working() -> Seen {
        Seen {
            status: OrderStatus::New,
            time_in_force: TimeInForce::Day,
            session_date: NaiveDate::from_ymd_opt(2026, 11, 23).expect("a day"),
            submitted_at: at("2026-11-23T15:00:00Z"),
            updated_at: at("2026-11-23T15:00:00Z"),
            end_requested_at: None,
            replace_requested_at: None,
            end_known: false,
            filed: true,
            unlisted: false,
        }
    }

    fn asked(order: &Seen, now: &str) -> Option<Ask> {
        doubt(order, at(now), &Calendar::nyse(), &Patience::default()).map(|doubt| doubt.ask)
    }

    #[test]
    fn an_order_at_work_in_its_session_is_left_alone() {
        assert_eq!(asked(&working(), "2026-11-23T20:59:00Z"), None);
    }

    #[test]
    fn saga_5_an_order_nobody_filed_for_half_a_minute_is_asked_for_again() {
        let lost = Seen {
            filed: false,
            status: OrderStatus::Accepted,
            ..working()
        };
        assert_eq!(asked(&lost, "2026-11-23T15:00:30Z"), None);
        assert_eq!(asked(&lost, "2026-11-23T15:00:31Z"), Some(Ask::FileAgain));
    }

    #[test]
    fn an_order_for_the_next_session_is_not_missed_before_it_opens() {
        let queued = Seen {
            filed: false,
            status: OrderStatus::Accepted,
            submitted_at: at("2026-11-22T03:00:00Z"),
            ..working()
        };
        assert_eq!(
            asked(&queued, "2026-11-23T14:30:00Z"),
            None,
            "the session opens at 14:30"
        );
        assert_eq!(asked(&queued, "2026-11-23T14:30:31Z"), Some(Ask::FileAgain));
    }

    #[test]
    fn saga_18_a_cancel_without_an_answer_is_looked_up_and_sent_again() {
        let canceling = Seen {
            end_requested_at: Some(at("2026-11-23T16:00:00Z")),
            ..working()
        };
        assert_eq!(asked(&canceling, "2026-11-23T16:00:30Z"), None);
        assert_eq!(asked(&canceling, "2026-11-23T16:00:31Z"), Some(Ask::LookUpAndCancel));
    }

    #[test]
    fn a_doubt_that_lasts_is_looked_up() {
        let doubtful = Seen {
            status: OrderStatus::PendingNew,
            ..working()
        };
        assert_eq!(asked(&doubtful, "2026-11-23T15:00:20Z"), None);
        assert_eq!(asked(&doubtful, "2026-11-23T15:01:00Z"), Some(Ask::LookUp));
    }

    #[test]
    fn an_end_whose_fills_do_not_come_is_looked_up_whatever_was_wished() {
        let over = Seen {
            end_known: true,
            end_requested_at: Some(at("2026-11-23T15:00:00Z")),
            ..working()
        };
        assert_eq!(asked(&over, "2026-11-23T15:01:00Z"), Some(Ask::LookUp));
    }

    #[test]
    fn saga_21_a_day_order_that_outlives_its_session_is_looked_up_and_a_gtc_one_is_not() {
        assert_eq!(
            asked(&working(), "2026-11-23T21:10:00Z"),
            None,
            "prints come after the bell"
        );
        assert_eq!(asked(&working(), "2026-11-23T21:10:01Z"), Some(Ask::LookUp));
        let gtc = Seen {
            time_in_force: TimeInForce::Gtc,
            ..working()
        };
        assert_eq!(asked(&gtc, "2026-11-24T15:00:00Z"), None);
    }

    #[test]
    fn cal_4_an_order_whose_session_was_taken_away_is_looked_up_after_the_usual_close() {
        let closed = [(working().session_date, Exception::Closed)];
        let calendar = Calendar::nyse().with_exceptions(closed);
        let doubt = |order: &Seen, now: &str| doubt(order, at(now), &calendar, &Patience::default());
        let asked = |order: &Seen, now: &str| doubt(order, now).map(|doubt| doubt.ask);
        let unfiled = Seen {
            filed: false,
            ..working()
        };
        assert_eq!(asked(&working(), "2026-11-23T21:10:00Z"), None);
        assert_eq!(asked(&working(), "2026-11-23T21:10:01Z"), Some(Ask::LookUp));
        assert_eq!(asked(&unfiled, "2026-11-23T21:00:30Z"), None);
        assert_eq!(asked(&unfiled, "2026-11-23T21:00:31Z"), Some(Ask::FileAgain));
    }

    #[test]
    fn saga_12_only_an_order_that_works_at_the_venue_is_missed_in_its_list() {
        let unlisted = |status, end_known| Seen {
            status,
            end_known,
            time_in_force: TimeInForce::Gtc,
            unlisted: true,
            ..working()
        };
        let now = "2026-11-23T15:00:20Z";
        assert_eq!(asked(&unlisted(OrderStatus::New, false), now), Some(Ask::LookUp));
        assert_eq!(
            asked(&unlisted(OrderStatus::PartiallyFilled, false), now),
            Some(Ask::LookUp)
        );
        assert_eq!(
            asked(&unlisted(OrderStatus::New, true), now),
            None,
            "its fills are waited for"
        );
        assert_eq!(
            asked(&unlisted(OrderStatus::DoneForDay, false), now),
            None,
            "venues need not list those"
        );
        assert_eq!(asked(&unlisted(OrderStatus::PendingNew, false), now), None);
    }
}
