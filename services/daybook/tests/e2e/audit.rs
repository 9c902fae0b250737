//! Each check of the audit is broken on purpose, and names the row.

use audit::{CHECKS, look_at_all};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::house::House;

/// The check, by its file's title; what breaks it, as a superuser without triggers; what its first row must tell.
const BREAKS: &[(&str, &str, &str)] = &[
    (
        "each transfer sums to zero per asset",
        "update ledger_entries set amount = amount + 0.01 where book = 'bank.fbo'",
        "leaves 0.01 USD",
    ),
    (
        "the whole ledger sums to zero per asset",
        "update ledger_entries set amount = amount + 3 where book = 'street.sec.pending'",
        "all of AAPL",
    ),
    ("transfers and entries belong together", "delete from ledger_transfers where kind = 'fill'", "no row of its own"),
    (
        "running cash balances are the sums of their entries",
        "update ledger_cash set avail = avail + 1 where held > 0",
        "its entries sum to",
    ),
    (
        "running share balances are the sums of their entries",
        "update ledger_shares set avail = avail + 1, held = held - 1 where held > 0",
        "AAPL",
    ),
    (
        "running sums of fees to come are the sums of their accruals",
        "update ledger_cash set accrued_fees = accrued_fees + 1 where held > 0",
        "its accruals say",
    ),
    (
        "no balance is below zero unless its account is flagged",
        "alter table ledger_cash drop constraint ledger_cash_avail_check; update ledger_cash set avail = -1 where held > 0",
        "not flagged",
    ),
    ("held cash is what the open buys can still cost (BP-3)", "update ledger_cash set held = held + 1 where held > 0", "can still cost"),
    (
        "held shares are what the open sells can still deliver",
        "update ledger_shares set held = held + 1 where held > 0",
        "can still deliver",
    ),
    (
        "each open order holds what it can still cost, an ended one nothing",
        "update ledger_entries e set amount = amount + 1 from ledger_transfers t
          where t.transfer_id = e.transfer_id and t.kind = 'release' and e.book = 'cust.cash.held'",
        "canceled, holds 1",
    ),
    (
        "unsettled proceeds are those of sales that have not settled (BP-8)",
        "update ledger_cash set unsettled = 1 where held > 0",
        "is no cash_strict account",
    ),
    (
        "each order has its client id, its hold as asked and its first event",
        "update ledger_transfers set kind = 'release' where kind = 'hold'",
        "never made",
    ),
    (
        "each client_order_id names exactly one order",
        "insert into order_client_ids select account_id, 'another', order_id from orders where status = 'filled'",
        "another",
    ),
    ("the open orders are listed and counted, and no others", "delete from open_orders where side = 'buy'", "not among the open orders"),
    (
        "each open order is found by its own session and deadline",
        "update open_orders set expires_at = '2026-11-23T15:00:00Z' where side = 'buy'",
        "is of day",
    ),
    (
        "an order and the one that replaces it name each other, and one of them has the place",
        "update orders set replaced_by = gen_random_uuid() where status = 'filled'",
        "replaced it",
    ),
    ("each status follows from fills and end", "update orders set status = 'expired' where status = 'filled'", "is expired with"),
    (
        "only legal moves happened, and none but executions after an end",
        "update order_events set status = 'accepted' where event = 'fill'",
        "to accepted",
    ),
    ("each order's last event shows it as it is", "update orders set status = 'partially_filled' where status = 'new'", "its last event says new"),
    ("each submission asks what its order asked", "update venue_submissions set qty = qty + 1", "was filed as"),
    (
        "no order of the venue stands for two of ours",
        "update orders set venue_order_id = 'the same' where venue_order_id is not null",
        "stands for",
    ),
    (
        "each order was filed, and none ended while it could still be sent",
        "delete from venue_submissions where order_id in (select order_id from orders where status = 'filled')",
        "never filed",
    ),
    ("quantities, cost and booked cash of orders are those of their fills", "update fills set qty = qty + 1", "its fills say"),
    ("each fill is its order's, at its limit or better", "update fills set price = 1000000", "which is to buy AAPL"),
    ("each fill is booked once, each busted one taken back", "update fills set cash = cash + 1", "its transfer moved"),
    (
        "no report of the venue waits for an operator",
        "insert into venue_reports_set_aside (report_id, kind, payload, cause, at)
         values (gen_random_uuid(), 'illegal', '{}', 'a test', daybook_now())",
        "a test",
    ),
    ("cash is money in - out - bought + sold - fees", "update orders set posted_cash = posted_cash + 1 where status = 'filled'", "bought"),
    ("positions are the sums of fills", "update fills set qty = qty - 1", "its fills make"),
    (
        "each trade accrues its fees by the rates of its date (FEE-3, FEE-4)",
        "update ledger_fee_accruals set sec = 1, taf = 1, cat = 1",
        "its rate says",
    ),
    (
        "each posted fee is what its day accrued, up to the cent (FEE-2)",
        "update ledger_fee_accruals set posted_at = daybook_now()",
        "its posted accruals come to",
    ),
    (
        "each trade settled once, on its day or later (LED-13, LED-14)",
        "update ledger_trades set settled_at = daybook_now()",
        "settled without a transfer",
    ),
    ("cash due and settled at the street is that of the trades", "update ledger_trades set cash = cash + 1", "the trades come to"),
    (
        "customers' shares and the firm's are the street's (LED-I5)",
        "update ledger_entries set amount = amount - 1 where book = 'street.sec.pending'",
        "the street says",
    ),
    ("every consumer has read everything", "update bus_positions set xid = '0', id = 0", "messages not read"),
    (
        "no message is parked",
        "insert into bus_parked select 'executor', topic, partition, xid, id, order_id, kind, payload, request_id, 'a test', created_at
           from outbox limit 1",
        "a test",
    ),
    ("each account's events are numbered 1 to n", "delete from order_events where seq = 2", "its events run from 1"),
    (
        "each message about an event points to it, once",
        "update outbox set payload = replace(payload, '\"seq\":', '\"seq\":9') where topic = 'order-updates'",
        "points to event",
    ),
    ("each owner has an epoch of this incarnation", "update bus_positions set incarnation = incarnation + 1", "of 1"),
    (
        "each parked message has its cause",
        "insert into bus_parked select 'executor', topic, partition, xid, id, order_id, kind, payload, request_id, ' ', created_at
           from outbox limit 1",
        "without a cause",
    ),
    ("each unfinished submission is listed for its owner", "update venue_submissions set state = 'in_doubt'", "not listed as unfinished"),
    (
        "the sessions are those that the operators left",
        "insert into session_exceptions values ('2028-11-07', 'closed', null, '', 'ada', daybook_now())",
        "2028-11-07: has a session, and ada closed the day",
    ),
    ("each end of an order, bust and correction has its notice", "delete from notices where kind = 'canceled'", "(canceled) has no notice"),
    ("each notice tells of a change that happened", "update notices set kind = 'expired' where kind = 'canceled'", "was expired, but event"),
    (
        "each break is closed or has its case, and what is in suspense has a break",
        "insert into recon_breaks (venue, session_date, kind, subject, symbol, side, qty, price, cash, at, ours, theirs, note,
                                   opened_at, updated_at)
         values ('exchange', '2026-11-23', 'identity', 'x-1', 'AAPL', 'buy', 1, 1, 1, daybook_now(), '', '', 'found',
                 daybook_now(), daybook_now())",
        "has neither an owner nor an explanation",
    ),
    (
        "suspense holds what is open there, no more and no less",
        "insert into recon_breaks (venue, session_date, kind, subject, symbol, side, qty, price, cash, at, ours, theirs, note,
                                   suspense, opened_at, updated_at)
         values ('exchange', '2026-11-23', 'missing_theirs', 'x-1', 'AAPL', 'buy', 1, 1, 1, daybook_now(), '', '', 'denied',
                 'missing', daybook_now(), daybook_now())",
        "holds 0, what waits there makes",
    ),
    (
        "each closed date has its steps, its proof, and an answer for what is unresolved",
        "insert into eod_dates (business_date, calendar, close_at, state, begun_at, closed_at)
         values ('2026-11-20', 'nyse', daybook_now(), 'closed', daybook_now(), daybook_now())",
        "with 0 of 11 steps",
    ),
    (
        "each proof of a date follows from its content and the one before",
        "insert into eod_proofs values ('2026-11-20', 1, daybook_now(), true, '{}', '', 'another')",
        "its digest is not that of its content",
    ),
    (
        "each act of an operator is in the chain, as it was and in its place",
        "delete from audit_chain;
         insert into audit_chain (seq, act_id, xid, act_no, hash, sealed_at)
         select 1, act_id, xid, act_no, sha256('x'), at from admin_acts order by xid, act_no limit 1",
        "was altered",
    ),
];

/// A filled and a resting buy, a resting sell, a canceled order.
async fn history(house: &House) {
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(10_000).await;
    let filled = ada.buy(10, "AAPL", "101.00").await;
    ada.wait_for(filled, "filled").await;
    let canceled = ada.buy(1, "AAPL", "20.00").await;
    ada.wait_for(canceled, "new").await;
    ada.cancel(canceled).await;
    ada.wait_for(canceled, "canceled").await;
    for order in [ada.buy(1, "AAPL", "50.00").await, ada.sell(4, "AAPL", "150.00").await] {
        ada.wait_for(order, "new").await;
    }
    house.at_rest().await;
}

#[tokio::test]
async fn each_check_names_the_row_that_breaks_it() {
    let mut house = House::open().await;
    history(&house).await;
    // Breaking takes locks that a running house would wait for.
    house.stop().await;
    let mut conn = PgConnection::connect(&house.db.url).await.unwrap();
    for (title, breaking, told) in BREAKS {
        let mut tx = conn.begin().await.unwrap();
        tx.execute("set local session_replication_role = replica")
            .await
            .unwrap();
        tx.execute(AssertSqlSafe(*breaking))
            .await
            .unwrap_or_else(|error| panic!("{title}: {error}"));
        let report = look_at_all(&mut tx, true).await.unwrap();
        tx.rollback().await.unwrap();
        let finding = report.broken().find(|finding| finding.check.title == *title);
        let finding = finding.unwrap_or_else(|| panic!("nobody noticed: {title}\n{report}"));
        assert!(finding.violations > 0 && finding.first.len() <= 5);
        let row = &finding.first[0];
        let line = format!("{}: {}", row.subject, row.problem);
        assert!(line.contains(told), "{title}: {line}");
    }
    let report = audit::audit(&mut conn, true).await.unwrap();
    assert!(report.is_clean(), "every break was taken back\n{report}");
}

#[test]
fn every_check_is_broken_once() {
    let titles: Vec<&str> = CHECKS.iter().map(|check| check.title).collect();
    let broken: Vec<&str> = BREAKS.iter().map(|(title, ..)| *title).collect();
    assert_eq!(titles, broken);
}

#[tokio::test]
async fn a_running_system_is_not_blamed_for_what_is_under_way() {
    let house = House::open().await;
    sqlx::query("update bus_positions set xid = '0', id = 0 where consumer_group = 'nobody'")
        .execute(&house.db.pool)
        .await
        .unwrap();
    sqlx::query(
        "insert into bus_positions (consumer_group, topic, partition, incarnation)
         select 'slow', topic, partition, 1 from bus_positions where consumer_group = 'executor'",
    )
    .execute(&house.db.pool)
    .await
    .unwrap();
    let ada = house.customer(1_000).await;
    ada.buy(1, "AAPL", "1.00").await;
    let mut conn = house.db.pool.acquire().await.unwrap();
    let at_work = audit::audit(&mut conn, false).await.unwrap();
    assert!(at_work.is_clean(), "{at_work}");
    assert!(at_work.to_string().contains("under way"));
    let at_rest = audit::audit(&mut conn, true).await.unwrap();
    assert!(at_rest.broken().any(|finding| finding.check.invariant == "V8"));
}
