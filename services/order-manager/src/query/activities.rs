//! Activities: executions and money movements in one list, newest first unless asked otherwise.
//!
//! An entry's id is its time to the millisecond and its UUID. A page starts right after the entry whose id is handed
//! back; the entry's exact time is looked up by that id, so the list is read through the indexes on
//! (account, time, id) of both tables.

use chassis::http::ApiError;
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use db::DbError;
use domain::calendar::to_new_york;
use domain::{AccountId, Timestamp};
use rust_decimal::Decimal;
use serde::Deserialize;
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};
use utoipa::IntoParams;
use uuid::Uuid;
use wire::rest::{Activity, FillActivity, OtherActivity, schema};

use super::{choice, day, given, moment, number, parse_uuid, words};
use crate::error::ReadError;
use crate::http::database_error;

/// The ledger's kinds of transfer that a customer sees as an activity of their own.
const MOVEMENTS: &[(&str, &str)] = &[
    ("CSD", "deposit_collected"),
    ("CSW", "withdrawal_paid"),
    ("FEE", "fees"),
];
/// Page size, unless a single day is asked for.
const PAGE: i64 = 100;
/// With a day there is no limit; this one is for a day that nobody can have.
const WHOLE_DAY: i64 = 100_000;

/// The query, as sent.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ActivityQuery {
    /// Kinds, separated by commas.
    #[param(value_type = Option<Vec<schema::ActivityType>>, inline, style = Form, explode = false)]
    activity_types: Option<String>,
    /// Only trades, or only the rest.
    #[param(value_type = Option<schema::ActivityCategory>, inline)]
    category: Option<String>,
    /// Only that day of New York's.
    #[param(value_type = Option<schema::Day>, inline)]
    date: Option<String>,
    /// Only what happened earlier.
    #[param(value_type = Option<schema::Moment>, inline)]
    until: Option<String>,
    /// Only what happened later.
    #[param(value_type = Option<schema::Moment>, inline)]
    after: Option<String>,
    /// The newest first (the default), or the oldest.
    #[param(value_type = Option<schema::Direction>, inline)]
    direction: Option<String>,
    /// The most entries; 100 unless asked otherwise, and with `date` as many as there are.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100_000)]
    page_size: Option<String>,
    /// The id of the last entry that was received: the page begins right after it.
    #[param(value_type = Option<schema::ActivityId>, inline)]
    page_token: Option<String>,
}

/// What is looked for.
struct Filter {
    account: AccountId,
    fills: bool,
    movements: Vec<&'static str>,
    /// Not earlier than this.
    from: Option<Timestamp>,
    /// Later than this.
    after: Option<Timestamp>,
    /// Earlier than this.
    until: Option<Timestamp>,
    place: Option<(Timestamp, Uuid)>,
    descending: bool,
    limit: i64,
}

/// A page of the account's activities.
pub(crate) async fn activities(
    conn: &mut PgConnection,
    account: AccountId,
    only: Option<&str>,
    query: &ActivityQuery,
) -> Result<Vec<Activity>, ApiError> {
    let mut filter = query.filter(account, only)?;
    if let Some(token) = given(query.page_token.as_ref()) {
        filter.place = Some(place_of(conn, account, token).await?);
    }
    let rows = filter.fetch(conn).await.map_err(database_error)?;
    Ok(rows.into_iter().map(|row| row.shown(account)).collect())
}

impl ActivityQuery {
    fn filter(&self, account: AccountId, only: Option<&str>) -> Result<Filter, ApiError> {
        let listed = words(self.activity_types.as_ref());
        // The path decides, where it names one; a list beside it has to be one all the same.
        let types = only.map_or_else(|| listed.clone(), |word| vec![word]);
        let mut all = types.iter().chain(&listed);
        if let Some(unknown) = all.find(|word| !schema::ACTIVITY_TYPES.contains(word)) {
            return Err(ReadError::UnknownActivity((*unknown).to_owned()).into());
        }
        let categories = [("trade_activity", true), ("non_trade_activity", false)];
        let trades = choice("category", self.category.as_ref(), &categories)?;
        let wanted = |word: &str| types.is_empty() || types.contains(&word);
        let date = day("date", self.date.as_ref())?.map(new_york_day);
        let size = number(
            "page_size",
            self.page_size.as_ref(),
            1,
            if date.is_some() { WHOLE_DAY } else { PAGE },
        )?;
        let until = moment("until", self.until.as_ref())?;
        let movements = MOVEMENTS
            .iter()
            .filter(|(word, _)| wanted(word) && trades != Some(true))
            .map(|(_, kind)| *kind);
        Ok(Filter {
            account,
            fills: wanted("FILL") && trades != Some(false),
            movements: movements.collect(),
            from: date.map(|(from, _)| from),
            after: moment("after", self.after.as_ref())?,
            until: date.map_or(until, |(_, end)| Some(until.map_or(end, |until| until.min(end)))),
            place: None,
            descending: choice("direction", self.direction.as_ref(), &[("desc", true), ("asc", false)])?
                .unwrap_or(true),
            limit: size.unwrap_or(if date.is_some() { WHOLE_DAY } else { PAGE }),
        })
    }
}

/// The first moment of a New York day and of the next one.
pub(super) fn new_york_day(date: NaiveDate) -> (Timestamp, Timestamp) {
    let midnight = |date: NaiveDate| {
        let utc = date.and_hms_opt(5, 0, 0).unwrap_or_default().and_utc();
        // At 05:00 UTC it is midnight or one o'clock in New York, before the hour at which clocks change.
        utc - TimeDelta::hours(5) - TimeDelta::seconds(i64::from(to_new_york(utc).offset().local_minus_utc()))
    };
    (midnight(date), midnight(date.succ_opt().unwrap_or(date)))
}

/// The exact place of an entry. One that is not there (any more) still has the place its id says.
async fn place_of(conn: &mut PgConnection, account: AccountId, token: &str) -> Result<(Timestamp, Uuid), ApiError> {
    let (at, id) = read_id(token).ok_or(ReadError::NoActivity)?;
    let end = at + TimeDelta::milliseconds(1);
    let exact = sqlx::query_scalar!(
        r#"select venue_at as "at!" from fills
            where account_id = $1 and venue_at >= $2 and venue_at < $3 and fill_id = $4
           union all
           select posted_at from ledger_transfers
            where account_id = $1 and posted_at >= $2 and posted_at < $3 and transfer_id = $4"#,
        account.get(),
        at,
        end,
        id,
    )
    .fetch_optional(conn)
    .await
    .map_err(|error| database_error(error.into()))?;
    Ok((exact.unwrap_or(at), id))
}

fn read_id(token: &str) -> Option<(Timestamp, Uuid)> {
    let (time, id) = token.split_once("::")?;
    let (seconds, millis) = time.split_at_checked(14)?;
    let plain = millis.len() == 3 && time.bytes().all(|byte| byte.is_ascii_digit());
    let at = NaiveDateTime::parse_from_str(seconds, "%Y%m%d%H%M%S")
        .ok()
        .filter(|_| plain)?;
    Some((
        at.and_utc() + TimeDelta::milliseconds(millis.parse().ok()?),
        parse_uuid(id)?,
    ))
}

fn id_of(at: DateTime<Utc>, id: Uuid) -> String {
    format!("{}{:03}::{id}", at.format("%Y%m%d%H%M%S"), at.timestamp_subsec_millis())
}

#[derive(FromRow)]
struct Row {
    at: Timestamp,
    id: Uuid,
    kind: String,
    order_id: Option<Uuid>,
    symbol: Option<String>,
    side: Option<String>,
    qty: Option<Decimal>,
    price: Option<Decimal>,
    cum_qty: Option<Decimal>,
    leaves_qty: Option<Decimal>,
    order_status: Option<String>,
    net_amount: Option<Decimal>,
    cause: Option<String>,
}

impl Filter {
    async fn fetch(&self, conn: &mut PgConnection) -> Result<Vec<Row>, DbError> {
        let mut sql = QueryBuilder::<Postgres>::new("(");
        self.select_fills(&mut sql);
        sql.push(") union all (");
        self.select_movements(&mut sql);
        sql.push(if self.descending {
            ") order by at desc, id desc"
        } else {
            ") order by at, id"
        });
        sql.push(" limit ").push_bind(self.limit);
        Ok(sql.build_query_as().fetch_all(conn).await?)
    }

    fn select_fills(&self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(
            "select venue_at as at, fill_id as id, 'FILL' as kind, order_id, symbol, side, qty, price, cum_qty, \
                    leaves_qty, order_status, null::numeric as net_amount, null as cause \
               from fills where busted_at is null and account_id = ",
        );
        sql.push_bind(self.account.get()).push(" and ").push_bind(self.fills);
        self.narrow(sql, "venue_at", "fill_id");
    }

    fn select_movements(&self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(
            "select t.posted_at, t.transfer_id, t.kind, null::uuid, null, null, null::numeric, null::numeric, \
                    null::numeric, null::numeric, null, \
                    (select sum(e.amount) from ledger_entries e \
                      where e.transfer_id = t.transfer_id \
                        and e.book in ('cust.cash.avail', 'cust.cash.unsettled', 'cust.cash.wd_pending')), t.cause \
               from ledger_transfers t where t.account_id = ",
        );
        let kinds: Vec<String> = self.movements.iter().map(|kind| (*kind).to_owned()).collect();
        sql.push_bind(self.account.get())
            .push(" and t.kind = any(")
            .push_bind(kinds)
            .push(")");
        self.narrow(sql, "t.posted_at", "t.transfer_id");
    }

    /// The same page of either table: at most a page of each is read.
    fn narrow(&self, sql: &mut QueryBuilder<Postgres>, at: &str, id: &str) {
        for (beyond, time) in [(">=", self.from), (">", self.after), ("<", self.until)] {
            if let Some(time) = time {
                sql.push(format!(" and {at} {beyond} ")).push_bind(time);
            }
        }
        let (beyond, order) = if self.descending { ("<", " desc") } else { (">", "") };
        if let Some((time, last)) = self.place {
            sql.push(format!(" and ({at}, {id}) {beyond} ("))
                .push_bind(time)
                .push(", ")
                .push_bind(last)
                .push(")");
        }
        sql.push(format!(" order by {at}{order}, {id}{order} limit "))
            .push_bind(self.limit);
    }
}

impl Row {
    fn shown(self, account: AccountId) -> Activity {
        let id = id_of(self.at, self.id);
        if self.kind != "FILL" {
            return Activity::Other(self.movement(id));
        }
        let leaves = self.leaves_qty.unwrap_or_default();
        Activity::Fill(FillActivity {
            id,
            activity_type: "FILL".into(),
            transaction_time: self.at,
            kind: if leaves.is_zero() { "fill" } else { "partial_fill" }.into(),
            price: self.price.unwrap_or_default().normalize().into(),
            qty: self.qty.unwrap_or_default().normalize().into(),
            cum_qty: self.cum_qty.unwrap_or_default().normalize().into(),
            leaves_qty: leaves.normalize().into(),
            side: self.side.unwrap_or_default().into(),
            symbol: self.symbol.unwrap_or_default(),
            order_id: self.order_id.unwrap_or_default(),
            order_status: self.order_status.unwrap_or_default().into(),
            account_id: Some(account.get()),
        })
    }

    fn movement(self, id: String) -> OtherActivity {
        let word = MOVEMENTS
            .iter()
            .find(|(_, kind)| *kind == self.kind)
            .map_or("MISC", |(word, _)| word);
        OtherActivity {
            id,
            activity_type: word.into(),
            date: to_new_york(self.at).date_naive(),
            net_amount: domain::Money::from_decimal(self.net_amount.unwrap_or_default()).into(),
            description: description(word, self.cause.as_deref()),
            status: "executed".into(),
            symbol: None,
            qty: None,
            per_share_amount: None,
            created_at: Some(self.at),
            currency: "USD".into(),
        }
    }
}

/// A fee says for trades of which date it is: `fees:<account>:<date>:<posting>`.
fn description(word: &str, cause: Option<&str>) -> String {
    match word {
        "CSD" => "deposit".to_owned(),
        "FEE" => {
            let date = cause.and_then(|cause| cause.split(':').nth(2)).unwrap_or_default();
            format!("SEC, TAF and CAT fees for trades of {date}")
        }
        _ => "withdrawal".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    //! Ids of activities, and days in New York.
    use super::*;

    #[test]
    fn an_id_is_read_back_to_the_millisecond() {
        let at: Timestamp = "2026-11-23T14:30:03.456789Z".parse().expect("a literal of this file");
        let id = id_of(at, Uuid::from_u128(7));
        assert_eq!(id, "20261123143003456::00000000-0000-0000-0000-000000000007");
        assert_eq!(
            read_id(&id),
            Some((at - TimeDelta::microseconds(789), Uuid::from_u128(7)))
        );
        for bad in [
            "",
            "::",
            "20261123143003456",
            "2026112314300345x::00000000-0000-0000-0000-000000000007",
            "é0261123143003456::x",
        ] {
            assert_eq!(read_id(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_new_york_also_when_clocks_change() {
        let day = |text: &str| new_york_day(text.parse().expect("a literal of this file"));
        let hours = |(from, to): (Timestamp, Timestamp)| (from.to_rfc3339(), (to - from).num_hours());
        assert_eq!(hours(day("2026-11-23")), ("2026-11-23T05:00:00+00:00".into(), 24));
        assert_eq!(hours(day("2026-07-01")), ("2026-07-01T04:00:00+00:00".into(), 24));
        assert_eq!(hours(day("2026-03-08")), ("2026-03-08T05:00:00+00:00".into(), 23));
        assert_eq!(hours(day("2026-11-01")), ("2026-11-01T04:00:00+00:00".into(), 25));
    }
}
