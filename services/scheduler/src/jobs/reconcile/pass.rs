//! One pass: differences become breaks, the venue is asked, reports go out, and what is gone is closed. Each transaction is
//! small and begins with the run's fence; between them the process may die anywhere, and the next pass goes on.

use bus::{NewEvent, Topic};
use chrono::{NaiveDate, TimeDelta};
use db::PgConnection;
use domain::{ExecId, RequestId, Timestamp};
use futures::future::join_all;
use ledger::TransferKind;
use ledger::rules;
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;
use venue::Venue;
use wire::events::v1::LookUpRequested;

use super::act::{self, Act, Word};
use super::breaks::{self, BATCH, Break, Finding};
use super::compare::{self, Compared, Difference, Totals};
use super::open_orders::{Listed, Place};
use super::{BREAKS, Day, PATIENCE, begin, open_orders, time};
use crate::Deps;
use crate::engine::{JobError, Run, alerts};

/// Breaks of one look.
const PAGE: i64 = 500;
/// Questions to the venue under way at a time.
const ASKED_AT_ONCE: usize = 4;
/// Between two questions about one execution.
const BETWEEN_ASKS: TimeDelta = TimeDelta::seconds(10);

/// What a pass came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Found {
    /// Executions of both sides together.
    pub(super) executions: i64,
    /// Those that both sides have alike.
    pub(super) matched: i64,
    /// Breaks opened by this pass.
    pub(super) opened: u64,
    /// Breaks that were gone.
    pub(super) closed: usize,
    /// Breaks whose end is on its way.
    pub(super) under_way: usize,
    /// Breaks that are not closed, the others, and want somebody.
    pub(super) waiting: usize,
    /// Breaks that are explained: nothing is to be done, but both sides still differ.
    pub(super) explained: usize,
    /// Breaks that are not closed, by kind.
    pub(super) kinds: HashMap<String, i64>,
}

impl Found {
    pub(super) fn summary(&self) -> String {
        let Self {
            executions,
            matched,
            waiting,
            explained,
            ..
        } = self;
        let summary = format!("{matched} of {executions} executions match, {waiting} breaks wait");
        match explained {
            0 => summary,
            some => format!("{summary}, {some} are explained"),
        }
    }

    pub(super) fn measure(&self) {
        let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
        metrics::gauge!("daybook_scheduler_recon_executions").set(count(self.executions));
        metrics::gauge!("daybook_scheduler_recon_matched").set(count(self.matched));
        for kind in KINDS {
            let open = self.kinds.get(*kind).copied().unwrap_or(0);
            metrics::gauge!("daybook_scheduler_recon_breaks", "kind" => *kind).set(count(open));
        }
    }
}

/// Every kind of break.
const KINDS: &[&str] = &[
    "missing_ours",
    "unknown_order",
    "suspended",
    "missing_theirs",
    "duplicate",
    "terms",
    "identity",
    "busted_theirs",
    "busted_ours",
    "trade_date",
    "open_ours",
    "open_theirs",
];

/// One pass over a day whose file is here.
pub(super) async fn pass<V: Venue>(
    deps: &Deps<V>,
    venue: &V,
    run: &Run,
    day: &Day,
    version: i32,
) -> Result<Found, JobError> {
    let compared = compare::compare(&deps.pool, day, version).await?;
    let executions = compared.totals.our_fills + only_theirs(&compared.differences);
    let mut opened = open_all(deps, run, day, &compared.differences).await?;
    let listed = listed_on(deps, venue, day).await?;
    if let Some(listed) = &listed {
        opened += open_orders(deps, run, day, listed).await?;
    }
    let mut tx = begin(deps, run).await?;
    note_day(&mut tx, day, &compared, version).await?;
    tx.commit().await?;
    let mut found = Found {
        executions,
        matched: compared.totals.matched + compared.by_terms,
        opened,
        ..Found::default()
    };
    let standing = Standing::of(&compared, listed.as_ref());
    work_all(deps, venue, run, day, &standing, &mut found).await?;
    if let Some(listed) = &listed {
        close_older(deps, run, day, listed, &mut found).await?;
    }
    if found.opened > 0 || found.closed > 0 {
        run.log(format!(
            "{} breaks found, {} gone; {}",
            found.opened,
            found.closed,
            found.summary()
        ))
        .await;
    }
    Ok(found)
}

fn only_theirs(differences: &[Difference]) -> i64 {
    let kinds = ["missing_ours", "unknown_order", "suspended", "busted_ours"];
    // With other symbols or sides an execution may be booked, or not: then it is theirs alone.
    let unbooked = |d: &Difference| d.kind == "identity" && d.ours == "nothing";
    let theirs = differences
        .iter()
        .filter(|d| kinds.contains(&d.kind.as_str()) || unbooked(d));
    i64::try_from(theirs.count()).unwrap_or(i64::MAX)
}

/// The list says what is open now, so it belongs to the last session that closed.
async fn listed_on<V: Venue>(deps: &Deps<V>, venue: &V, day: &Day) -> Result<Option<Listed>, JobError> {
    let now = time(deps).await?;
    let calendar = deps.sessions.calendar();
    let close = calendar
        .session_bounds(domain::calendar::SessionDate::new(day.date))
        .map(|(_, close)| close);
    let is_last = close.is_some_and(|close| calendar.last_close(now).is_ok_and(|last| last <= close));
    if !is_last {
        return Ok(None);
    }
    Ok(open_orders::list(venue).await)
}

async fn open_all<V>(deps: &Deps<V>, run: &Run, day: &Day, differences: &[Difference]) -> Result<u64, JobError> {
    let mut opened = 0;
    for batch in differences.chunks(BATCH) {
        let mut tx = begin(deps, run).await?;
        opened += breaks::open(&mut tx, day, batch).await?;
        breaks::refresh(&mut tx, day, batch).await?;
        tx.commit().await?;
        fail::fail_point!("recon::mid_breaks");
    }
    Ok(opened)
}

/// Open orders, page by page: each page becomes breaks before the next is read.
async fn open_orders<V>(deps: &Deps<V>, run: &Run, day: &Day, listed: &Listed) -> Result<u64, JobError> {
    let (mut opened, mut place) = (0, Some(Place::START));
    while let Some(from) = place {
        let mut conn = deps.pool.acquire().await?;
        let now = db::database_time(&mut conn).await?;
        let (differences, next) = open_orders::page(&mut conn, listed, from, now).await?;
        drop(conn);
        opened += open_all(deps, run, day, &differences).await?;
        place = next;
    }
    Ok(opened)
}

async fn note_day(conn: &mut PgConnection, day: &Day, compared: &Compared, version: i32) -> Result<(), JobError> {
    let Totals {
        our_fills,
        our_shares,
        our_dollars,
        matched,
    } = compared.totals;
    sqlx::query!(
        "insert into recon_days as d (venue, session_date, version, passes, our_fills, our_shares, our_dollars, matched, by_terms,
                                      compared_at)
         values ($1, $2, $3, 1, $4, $5, $6, $7, $8, daybook_now())
             on conflict (venue, session_date) do update
            set version = excluded.version, passes = d.passes + 1, our_fills = excluded.our_fills,
                our_shares = excluded.our_shares, our_dollars = excluded.our_dollars, matched = excluded.matched,
                by_terms = excluded.by_terms, compared_at = excluded.compared_at, refused = null, refused_at = null",
        day.venue,
        day.date,
        version,
        our_fills,
        our_shares,
        our_dollars,
        matched,
        compared.by_terms,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What differs as this pass found it.
struct Standing<'a> {
    executions: HashSet<(&'a str, &'a str)>,
    /// There were more than could be looked at.
    cut: bool,
    listed: Option<&'a Listed>,
}

impl<'a> Standing<'a> {
    fn of(compared: &'a Compared, listed: Option<&'a Listed>) -> Self {
        let differences = compared.differences.iter();
        Standing {
            executions: differences.map(|d| (d.kind.as_str(), d.exec_id.as_str())).collect(),
            cut: compared.cut,
            listed,
        }
    }

    /// The breaks that still differ, and those that are gone. What was not compared is not gone.
    async fn part(&self, conn: &mut PgConnection, page: Vec<Break>) -> Result<(Vec<Break>, Vec<Break>), JobError> {
        let apart = match self.listed {
            Some(listed) => open_orders::apart(conn, listed, &orders_of(&page)).await?,
            None => HashSet::new(),
        };
        let stands = |it: &Break| match order_of(it) {
            Some(order) => self.listed.is_none() || apart.contains(&order),
            None => self.cut || self.executions.contains(&(it.kind.as_str(), it.subject.as_str())),
        };
        Ok(page.into_iter().partition(stands))
    }
}

/// The order of a break of open orders.
fn order_of(it: &Break) -> Option<Uuid> {
    it.subject.parse().ok().filter(|_| it.kind.starts_with("open_"))
}

fn orders_of(page: &[Break]) -> Vec<Uuid> {
    page.iter().filter_map(order_of).collect()
}

/// All breaks of the day, page by page.
async fn work_all<V: Venue>(
    deps: &Deps<V>,
    venue: &V,
    run: &Run,
    day: &Day,
    standing: &Standing<'_>,
    found: &mut Found,
) -> Result<(), JobError> {
    let mut after = 0;
    loop {
        let mut conn = deps.pool.acquire().await?;
        let page = breaks::page(&mut conn, day, after, PAGE).await?;
        let now = db::database_time(&mut conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.break_no;
        let (still, gone) = standing.part(&mut conn, page).await?;
        drop(conn);
        let words = ask(venue, &still, now).await;
        work(deps, run, &still, &gone, &words, now, found).await?;
    }
}

/// Breaks of open orders that earlier days left: no later list is of those days, so they end with this one, when both sides
/// agree about the order. A day that has nothing else that wants somebody is told of no more.
async fn close_older<V>(
    deps: &Deps<V>,
    run: &Run,
    day: &Day,
    listed: &Listed,
    found: &mut Found,
) -> Result<(), JobError> {
    let (mut after, mut dates) = (0, BTreeSet::new());
    loop {
        let mut conn = deps.pool.acquire().await?;
        let page = breaks::older_open_orders(&mut conn, day, after, PAGE).await?;
        let now = db::database_time(&mut conn).await?;
        let Some(last) = page.last() else { break };
        after = last.break_no;
        let apart = open_orders::apart(&mut conn, listed, &orders_of(&page)).await?;
        drop(conn);
        let is_gone = |it: &Break| order_of(it).is_some_and(|order| !apart.contains(&order));
        let gone: Vec<Break> = page.into_iter().filter(is_gone).collect();
        dates.extend(gone.iter().map(|it| it.session_date));
        work(deps, run, &[], &gone, &HashMap::new(), now, found).await?;
    }
    let dates: Vec<NaiveDate> = dates.into_iter().collect();
    let mut tx = begin(deps, run).await?;
    let now = db::database_time(&mut tx).await?;
    for date in breaks::without_any_that_waits(&mut tx, &day.venue, &dates).await? {
        let venue = day.venue.clone();
        alerts::clear(&mut tx, BREAKS, &Day { venue, date }.subject(), now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Asks the venue about the executions it has to be asked about, some at a time, outside of any transaction.
async fn ask<V: Venue>(venue: &V, still: &[Break], now: Timestamp) -> HashMap<i64, Word> {
    let asked: Vec<&Break> = still.iter().filter(|it| act::asks(it, now, BETWEEN_ASKS)).collect();
    let mut words = HashMap::with_capacity(asked.len());
    for some in asked.chunks(ASKED_AT_ONCE) {
        let mut calls = Vec::with_capacity(some.len());
        for it in some {
            calls.push(ask_about(venue, it.break_no, it.subject.clone()));
        }
        words.extend(join_all(calls).await);
    }
    words
}

async fn ask_about<V: Venue>(venue: &V, break_no: i64, subject: String) -> (i64, Word) {
    let word = match ExecId::new(&subject) {
        Err(_) => Word::Unclear("no id of an execution".to_owned()),
        Ok(id) => match venue.execution(&id).await {
            Ok(Some(view)) => Word::Knows(view),
            Ok(None) => Word::Denies,
            Err(fault) => Word::Unclear(fault.to_string()),
        },
    };
    (break_no, word)
}

/// Does what a page of breaks asks for, in one transaction. What somebody decided while the venue was asked is left to
/// them, and looked at by another pass: what the page says of it is old.
async fn work<V>(
    deps: &Deps<V>,
    run: &Run,
    still: &[Break],
    gone: &[Break],
    words: &HashMap<i64, Word>,
    now: Timestamp,
    found: &mut Found,
) -> Result<(), JobError> {
    let mut tx = begin(deps, run).await?;
    let as_read = breaks::lock_as_read(&mut tx, still.iter().chain(gone)).await?;
    let is_as_read = |it: &&Break| as_read.contains(&it.break_no);
    let mut batch = Batch::default();
    for it in still.iter().filter(is_as_read) {
        let word = words.get(&it.break_no).unwrap_or(&Word::Unasked);
        batch.take(it, word, now)?;
    }
    for it in gone.iter().filter(is_as_read) {
        batch.close(it, now)?;
    }
    batch.write(&mut tx).await?;
    tx.commit().await?;
    if batch.events.iter().any(|event| event.topic == Topic::VenueReports) {
        deps.bus.wake(Topic::VenueReports);
    }
    found.closed += gone.iter().filter(is_as_read).count();
    found.under_way += still.len() + gone.len() - as_read.len();
    for it in still.iter().filter(is_as_read) {
        *found.kinds.entry(it.kind.clone()).or_default() += 1;
        if now < it.opened_at + PATIENCE && batch.has_more_to_come(it) {
            found.under_way += 1;
        } else if batch.explains(it) {
            found.explained += 1;
        } else {
            found.waiting += 1;
        }
    }
    Ok(())
}

/// What one transaction writes.
#[derive(Default)]
struct Batch {
    events: Vec<NewEvent>,
    transfers: Vec<ledger::Transfer>,
    findings: Vec<Finding>,
}

impl Batch {
    fn take(&mut self, it: &Break, word: &Word, now: Timestamp) -> Result<(), JobError> {
        let asked = !matches!(word, Word::Unasked | Word::Unclear(_));
        let mut finding = Finding {
            break_no: it.break_no,
            state: act::state_of(it),
            note: it.note.clone(),
            suspense: it.suspense.is_some().then_some("missing"),
            asked,
            acted: false,
        };
        match act::act(it, word, now) {
            Act::Report(fact, note) => {
                let report = act::venue_report(it, fact, now);
                self.events.push(NewEvent::venue_report(&report, request(it)?));
                (finding.note, finding.acted) = (note, true);
            }
            Act::LookUp(note) => {
                self.events.push(look_up(it, now)?);
                (finding.note, finding.acted) = (note, true);
            }
            Act::Suspend(note) => {
                let cause = it.cause(TransferKind::MissingTheirs);
                self.transfers.push(rules::missing_theirs(cause, &it.disputed()?, now)?);
                (finding.note, finding.acted, finding.suspense) = (note, true, Some("missing"));
            }
            Act::Explain(note) => (finding.state, finding.note) = ("explained", note),
            Act::Note(note) => finding.note = note,
        }
        self.findings.push(finding);
        Ok(())
    }

    /// What differed does not any more; suspense gives back what it has of it.
    fn close(&mut self, it: &Break, now: Timestamp) -> Result<(), JobError> {
        if it.suspense.is_some() {
            let cause = it.cause(TransferKind::FoundTheirs);
            self.transfers.push(rules::found_theirs(cause, &it.disputed()?, now)?);
        }
        self.findings.push(Finding {
            break_no: it.break_no,
            state: "closed",
            note: "both sides agree".to_owned(),
            suspense: None,
            asked: false,
            acted: false,
        });
        Ok(())
    }

    async fn write(&self, conn: &mut PgConnection) -> Result<(), JobError> {
        ledger::post(conn, &self.transfers).await?;
        breaks::store(conn, &self.findings).await?;
        bus::append(conn, &self.events).await?;
        Ok(())
    }

    fn finding(&self, it: &Break) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.break_no == it.break_no)
    }

    /// Whether it is explained from now on, or was and still is.
    fn explains(&self, it: &Break) -> bool {
        self.finding(it).is_some_and(|finding| finding.state == "explained")
    }

    /// Whether what was done about the break will show by itself.
    fn has_more_to_come(&self, it: &Break) -> bool {
        let Some(finding) = self.finding(it) else {
            return false;
        };
        let after = Break {
            state: finding.state.to_owned(),
            asked: it.asked + i32::from(finding.asked),
            ..it.clone()
        };
        finding.acted || (finding.suspense.is_none() && after.state == "open" && !after.wants_somebody())
    }
}

fn request(it: &Break) -> Result<RequestId, JobError> {
    RequestId::new(&format!("recon:{}", it.break_no))
        .map_err(|error| JobError::Fatal(format!("a request's id: {error}")))
}

fn look_up(it: &Break, now: Timestamp) -> Result<NewEvent, JobError> {
    let order_id = it.order_id.unwrap_or_default();
    let event = LookUpRequested {
        order_id,
        account_id: it.account_id.unwrap_or_default(),
        symbol: it.symbol.clone(),
        asked_by: super::NAME.to_owned(),
        why: format!("{} here, {} there", it.ours, it.theirs),
        requested_at: now,
    };
    Ok(NewEvent::look_up_requested(&event, request(it)?))
}
