//! Stored orders on a real Postgres.

mod history;

use chrono::TimeDelta;
use domain::order::{EndKind, OrderEvent};
use domain::{
    AccountId, AssetId, ClientOrderId, OrderId, OrderType, Price, Qty, RequestId, Side, Symbol, TimeInForce, Timestamp,
    VenueOrderId,
};
use orders::read::{self, Direction, ListFilter, ListStatus};
use orders::{NewOrder, RefusedReplace, Replaces, WishKind};
use testkit::{TestDb, start_of_time};
use uuid::Uuid;

fn account(n: u128) -> AccountId {
    AccountId::new(Uuid::from_u128(n))
}

fn order(n: u8, owner: u128, symbol: &str) -> NewOrder {
    NewOrder {
        order_id: OrderId::new(Uuid::from_u128(1000 + u128::from(n))),
        account_id: account(owner),
        client_order_id: ClientOrderId::new(&format!("c{n}")).expect("an id"),
        asset_id: AssetId::new(Uuid::from_u128(5)),
        symbol: Symbol::parse(symbol).expect("a symbol"),
        side: if n.is_multiple_of(2) { Side::Buy } else { Side::Sell },
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Day,
        qty: Qty::parse("10").expect("a quantity"),
        limit_price: Price::parse("5.00").expect("a price"),
        notional: None,
        session_date: start_of_time().date_naive(),
        submit_at: None,
        expires_at: start_of_time() + TimeDelta::hours(6),
        explicit_expiry: false,
        request_id: RequestId::new("r").expect("an id"),
        submitted_at: start_of_time() + TimeDelta::microseconds(i64::from(n)),
        replaces: None,
    }
}

fn filter(status: ListStatus) -> ListFilter {
    ListFilter {
        account: account(1),
        status,
        limit: 50,
        after: None,
        until: None,
        direction: Direction::Asc,
        symbols: vec![],
        side: None,
    }
}

async fn names(conn: &mut sqlx::PgConnection, filter: &ListFilter) -> Vec<String> {
    let found = read::list(conn, filter).await.expect("a list");
    found.iter().map(|o| o.client_order_id.to_string()).collect()
}

#[tokio::test]
async fn ord_13_a_taken_client_id_leaves_its_order_out_and_nothing_else() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    let first = order(1, 1, "AAPL");
    orders::insert(&mut conn, std::slice::from_ref(&first))
        .await
        .expect("stored");
    let twin = NewOrder {
        order_id: OrderId::new(Uuid::from_u128(9)),
        ..first.clone()
    };
    let inserted = orders::insert(&mut conn, &[twin.clone(), order(2, 1, "AAPL")])
        .await
        .expect("stored");
    assert_eq!(inserted.len(), 1);
    assert!(
        read::by_id(&mut conn, account(1), twin.order_id)
            .await
            .expect("read")
            .is_none()
    );
    let taken = orders::taken_client_ids(&mut conn, &[(account(1), first.client_order_id.clone())])
        .await
        .expect("read");
    assert_eq!(taken.values().copied().collect::<Vec<_>>(), [first.order_id]);
}

#[tokio::test]
async fn another_accounts_order_is_not_there() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    let mine = order(1, 1, "AAPL");
    orders::insert(&mut conn, std::slice::from_ref(&mine))
        .await
        .expect("stored");
    assert!(
        read::by_id(&mut conn, account(1), mine.order_id)
            .await
            .expect("read")
            .is_some()
    );
    assert!(
        read::by_id(&mut conn, account(2), mine.order_id)
            .await
            .expect("read")
            .is_none()
    );
    assert!(
        read::by_client_id(&mut conn, account(2), &mine.client_order_id)
            .await
            .expect("read")
            .is_none()
    );
}

#[tokio::test]
async fn an_order_that_ends_leaves_the_open_ones_and_every_filter_narrows_the_list() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    let all: Vec<NewOrder> = (1..=4)
        .map(|n| order(n, 1, if n < 3 { "AAPL" } else { "MSFT" }))
        .collect();
    orders::insert(&mut conn, &all).await.expect("stored");
    let mut locked = orders::lock(&mut conn, &[all[0].order_id]).await.expect("locked");
    let mut ended = locked.remove(&all[0].order_id).expect("there");
    let end = OrderEvent::Ended {
        why: EndKind::Canceled,
        filled: Qty::ZERO,
    };
    ended.state = ended.state.after(end).expect("legal").0;
    orders::advance(&mut conn, &[ended]).await.expect("stored");

    assert_eq!(names(&mut conn, &filter(ListStatus::Open)).await, ["c2", "c3", "c4"]);
    assert_eq!(names(&mut conn, &filter(ListStatus::Closed)).await, ["c1"]);
    assert_eq!(
        names(&mut conn, &filter(ListStatus::All)).await,
        ["c1", "c2", "c3", "c4"]
    );
    let msft = ListFilter {
        symbols: vec![all[3].symbol.clone()],
        ..filter(ListStatus::All)
    };
    assert_eq!(names(&mut conn, &msft).await, ["c3", "c4"]);
    let buys = ListFilter {
        side: Some(Side::Buy),
        ..filter(ListStatus::All)
    };
    assert_eq!(names(&mut conn, &buys).await, ["c2", "c4"]);
    let between = ListFilter {
        after: Some(all[0].submitted_at),
        until: Some(all[3].submitted_at),
        direction: Direction::Desc,
        ..filter(ListStatus::All)
    };
    assert_eq!(
        names(&mut conn, &between).await,
        ["c3", "c2"],
        "after and until are exclusive"
    );
}

#[tokio::test]
async fn a_customers_wish_is_shown_until_the_venue_refuses_it_and_a_jobs_wish_never() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    let (asked, due) = (order(1, 1, "AAPL"), order(2, 1, "AAPL"));
    orders::insert(&mut conn, &[asked.clone(), due.clone()])
        .await
        .expect("stored");
    let now = start_of_time();
    orders::wish_to_end(&mut conn, &[asked.order_id], WishKind::Cancel, now)
        .await
        .expect("stored");
    orders::wish_to_end(&mut conn, &[due.order_id], WishKind::Expire, now)
        .await
        .expect("stored");
    let shown =
        |found: Vec<orders::StoredOrder>| found.iter().map(|o| o.shown_status().to_string()).collect::<Vec<_>>();
    let both = [asked.order_id, due.order_id];
    assert_eq!(
        shown(read::by_ids(&mut conn, &both).await.expect("read")),
        ["pending_cancel", "accepted"]
    );
    orders::clear_cancel_wishes(&mut conn, &[asked.order_id], now)
        .await
        .expect("stored");
    assert_eq!(
        shown(read::by_ids(&mut conn, &both).await.expect("read")),
        ["accepted", "accepted"]
    );
}

/// What jobs find an order by: its row among the open ones.
async fn open_row(conn: &mut sqlx::PgConnection, id: OrderId) -> Option<(String, String, Option<Timestamp>)> {
    sqlx::query_as("select session_date::text, time_in_force, expires_at from open_orders where order_id = $1")
        .bind(id.get())
        .fetch_optional(conn)
        .await
        .expect("a row")
}

#[tokio::test]
async fn tif_2_and_tif_5_an_open_order_shows_its_session_and_its_deadline_also_after_a_bust_opened_it_again() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    let at = start_of_time() + TimeDelta::hours(2);
    let kinds = [
        (1, TimeInForce::Day, false),
        (2, TimeInForce::Day, true),
        (3, TimeInForce::Gtc, false),
    ];
    let orders = kinds.map(|(n, time_in_force, explicit_expiry)| NewOrder {
        time_in_force,
        explicit_expiry,
        expires_at: at,
        submit_at: Some(start_of_time()),
        ..order(n, 1, "AAPL")
    });
    orders::insert(&mut conn, &orders).await.expect("stored");
    let ids = orders.each_ref().map(|o| o.order_id);
    let date = start_of_time().date_naive().to_string();
    let rows = [
        (date.clone(), "day".to_owned(), None),
        (date.clone(), "day".to_owned(), Some(at)),
        (date, "gtc".to_owned(), Some(at)),
    ];
    for (id, row) in ids.iter().zip(&rows) {
        assert_eq!(open_row(&mut conn, *id).await.as_ref(), Some(row));
        let (qty, price) = (Qty::parse("10").expect("shares"), Price::parse("5").expect("a price"));
        let mut stored = orders::lock(&mut conn, &[*id])
            .await
            .expect("locked")
            .remove(id)
            .expect("there");
        assert_eq!((stored.submit_at, stored.expires_at), (Some(start_of_time()), at));
        stored.state = stored.state.after(OrderEvent::Filled { qty, price }).expect("legal").0;
        orders::advance(&mut conn, std::slice::from_ref(&stored))
            .await
            .expect("stored");
        assert_eq!(open_row(&mut conn, *id).await, None, "filled");
        stored.state = stored.state.after(OrderEvent::Busted { qty, price }).expect("legal").0;
        orders::advance(&mut conn, &[stored]).await.expect("stored");
        assert_eq!(open_row(&mut conn, *id).await.as_ref(), Some(row), "open again");
    }
}

#[tokio::test]
async fn tif_2_rows_of_older_programs_get_their_session_and_their_end() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    // 2026-06-01 and 90 days are Sunday the 30th of August: the Friday before counts.
    for (n, time_in_force, expiry, deadline) in [
        (1_u128, "day", "2026-06-01T20:00:00Z", None),
        (2, "gtc", "2026-08-28T20:15:00Z", Some("2026-08-28T20:15:00Z")),
        (3, "ioc", "2026-06-01T20:00:00Z", None),
    ] {
        let id = OrderId::new(Uuid::from_u128(n));
        sqlx::query(
            "insert into orders (order_id, account_id, client_order_id, asset_id, symbol, side, order_type,
                                 time_in_force, qty, limit_price, session_date, request_id, created_at, submitted_at,
                                 status, updated_at)
             values ($1, $1, 'x', $1, 'AAPL', 'buy', 'limit', $2, 10, 5, '2026-06-01', 'r', $3, $3, 'accepted', $3)",
        )
        .bind(id.get())
        .bind(time_in_force)
        .bind("2026-06-01T15:00:00Z".parse::<Timestamp>().expect("a time"))
        .execute(&mut *conn)
        .await
        .expect("stored");
        sqlx::query("insert into open_orders (account_id, order_id, symbol, side) values ($1, $1, 'AAPL', 'buy')")
            .bind(id.get())
            .execute(&mut *conn)
            .await
            .expect("stored");
        let stored = read::by_ids(&mut conn, &[id]).await.expect("read").remove(0);
        assert_eq!(
            stored.expires_at,
            expiry.parse::<Timestamp>().expect("a time"),
            "{time_in_force}"
        );
        let deadline = deadline.map(|text| text.parse::<Timestamp>().expect("a time"));
        let row = ("2026-06-01".to_owned(), time_in_force.to_owned(), deadline);
        assert_eq!(open_row(&mut conn, id).await, Some(row));
    }
}

/// The database of a program from before the times, brought up to date: no row of orders is written, and each has its times.
#[tokio::test]
async fn tif_2_orders_from_before_the_times_have_them_after_the_migrations() {
    let older = db::MIGRATOR
        .iter()
        .filter(|migration| migration.version < 20_261_122_110_000);
    let older = sqlx::migrate::Migrator::with_migrations(older.cloned().collect());
    let db = TestDb::with_migrator(&older, "before_times").await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    sqlx::query(
        "insert into orders (order_id, account_id, client_order_id, asset_id, symbol, side, order_type, time_in_force, qty,
                             limit_price, session_date, request_id, created_at, submitted_at, status, updated_at)
         select id, id, 'x', id, 'AAPL', 'buy', 'limit', tif, 10, 5, '2026-06-01', 'r', at, at, status, at
           from (values ('00000000-0000-0000-0000-000000000001'::uuid, 'day', 'filled'),
                        ('00000000-0000-0000-0000-000000000002', 'gtc', 'new')) as o (id, tif, status),
                cast('2026-06-01T15:00:00Z' as timestamptz) as at",
    )
    .execute(&mut *conn)
    .await
    .expect("stored");
    sqlx::query("insert into open_orders select account_id, order_id, symbol, side from orders where status = 'new'")
        .execute(&mut *conn)
        .await
        .expect("stored");
    let rows = "select string_agg(xmin::text, ' ' order by order_id) from orders";
    let written: String = sqlx::query_scalar(rows).fetch_one(&mut *conn).await.expect("read");
    db::migrate(&db.pool, &db::MIGRATOR).await.expect("migrated");
    let after: String = sqlx::query_scalar(rows).fetch_one(&mut *conn).await.expect("read");
    assert_eq!(after, written, "nobody's order waits for a migration");

    let ids = [1_u128, 2].map(|n| OrderId::new(Uuid::from_u128(n)));
    let (day, gtc) = ("2026-06-01T20:00:00Z", "2026-08-28T20:15:00Z");
    let locked = orders::lock(&mut conn, &ids).await.expect("locked");
    for (stored, expiry) in read::by_ids(&mut conn, &ids)
        .await
        .expect("read")
        .iter()
        .zip([day, gtc])
    {
        let expiry = expiry.parse::<Timestamp>().expect("a time");
        assert_eq!(
            (stored.expires_at, locked[&stored.order_id].expires_at),
            (expiry, expiry)
        );
    }
    let row = (
        "2026-06-01".to_owned(),
        "gtc".to_owned(),
        Some(gtc.parse().expect("a time")),
    );
    assert_eq!(open_row(&mut conn, ids[1]).await, Some(row));
}

#[tokio::test]
async fn the_list_pages_through_its_index() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    sqlx::query("set enable_seqscan = off")
        .execute(&mut *conn)
        .await
        .expect("set");
    let plan: Vec<String> = sqlx::query_scalar(
        "explain select order_id from orders
          where account_id = '00000000-0000-0000-0000-000000000001' and submitted_at > '2026-01-01'
          order by submitted_at limit 50",
    )
    .fetch_all(&mut *conn)
    .await
    .expect("a plan");
    let plan = plan.join("\n");
    assert!(
        plan.contains("orders_account_submitted") && !plan.contains("Sort"),
        "{plan}"
    );
}

/// An order that is replaced, what was asked for in its place first, and last.
async fn replaced_twice(conn: &mut db::PgConnection) -> [OrderId; 3] {
    let [old, first, last] = [1, 2, 3].map(|n| order(n, 1, "AAPL"));
    let ids = [old.order_id, first.order_id, last.order_id];
    let replacement = |new: NewOrder| NewOrder {
        replaces: Some(Replaces {
            order: ids[0],
            root: ids[0],
        }),
        ..new
    };
    let all = [old, replacement(first), replacement(last)];
    orders::insert(conn, &all).await.expect("stored");
    for new in &ids[1..] {
        orders::wish_to_replace(conn, &[(ids[0], *new)], start_of_time())
            .await
            .expect("stored");
    }
    ids
}

#[tokio::test]
async fn ord_8_an_earlier_replacement_is_locked_with_its_order_where_the_venue_names_it() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    let [old, first, last] = replaced_twice(&mut conn).await;
    let mut named = orders::lock(&mut conn, &[first]).await.expect("read");
    let mut order = named.remove(&first).expect("stored");
    let name = VenueOrderId::new("v-1").expect("plain text");
    order.venue_order_id = Some(name.clone());
    orders::advance(&mut conn, &[order]).await.expect("stored");
    for (named, expected) in [
        (vec![], vec![old, last]),
        (vec![(old, name.clone())], vec![old, first, last]),
        (vec![(last, name)], vec![old, last]),
    ] {
        let locked = orders::lock_chains(&mut conn, &[old], &named).await.expect("read");
        let mut ids: Vec<OrderId> = locked.into_keys().collect();
        ids.sort();
        assert_eq!(ids, expected, "{named:?}");
    }
}

#[tokio::test]
async fn ord_9_a_refused_replace_is_remembered_until_the_next_one_is_asked_for() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    let [old, first, _] = replaced_twice(&mut conn).await;
    let mut order = orders::lock(&mut conn, &[old])
        .await
        .expect("read")
        .remove(&old)
        .expect("stored");
    order.chain.refused = Some(RefusedReplace {
        total: Qty::parse("5").expect("a quantity"),
        at: start_of_time(),
    });
    orders::advance(&mut conn, &[order.clone()]).await.expect("stored");
    let locked = orders::lock(&mut conn, &[old]).await.expect("read");
    assert_eq!(locked[&old].chain.refused, order.chain.refused);
    orders::wish_to_replace(&mut conn, &[(old, first)], start_of_time())
        .await
        .expect("stored");
    let locked = orders::lock(&mut conn, &[old]).await.expect("read");
    assert_eq!(locked[&old].chain.refused, None);
}

#[tokio::test]
async fn rsk_8_only_cancels_that_customers_ask_for_are_counted() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    let all: Vec<_> = (1..=4).map(|n| order(n, 1, "AAPL")).collect();
    orders::insert(&mut conn, &all).await.expect("stored");
    let now = start_of_time();
    let ids: Vec<_> = all.iter().map(|order| order.order_id).collect();
    for (ids, kind) in [
        (&ids[..1], WishKind::Withdraw),
        (&ids[1..2], WishKind::Expire),
        (&ids[2..], WishKind::Cancel),
    ] {
        orders::wish_to_end(&mut conn, ids, kind, now).await.expect("stored");
    }
    let seen = orders::churn::activity(&mut conn, all[0].account_id, now)
        .await
        .expect("read");
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!((seen[0].orders, seen[0].cancels), ([4, 4], [2, 2]));
}
