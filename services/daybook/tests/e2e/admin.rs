//! An operator's acts: each written down, money moved once, a block and a revocation felt at once.

use std::time::Duration;

use chrono::{DateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};
use daybook::cli::{ClassName, SetLimit};
use domain::Money;
use identity::limits::Class;
use reqwest::Method;
use rust_decimal::{Decimal, dec};
use testkit::wait_until;
use uuid::Uuid;

use crate::harness::Customer;
use crate::harness::customer::limit_order;
use crate::house::House;
use crate::operator::acts;

fn dollars(amount: u32) -> Money {
    Money::from_decimal(Decimal::from(amount))
}

#[tokio::test]
async fn a_deposit_repeated_under_its_id_moves_the_money_once() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    let (named, id) = (ada.account.to_string(), Uuid::from_u128(7));
    let first = house.desk.deposit(&named, dollars(50), Some(id), false).await.unwrap();
    let second = house.desk.deposit(&named, dollars(50), Some(id), false).await.unwrap();
    assert_eq!((first.is_new, second.is_new), (true, false));
    assert_eq!(ada.account_field("cash").await, dec!(150));
    let other = house
        .desk
        .deposit(&named, dollars(60), Some(id), false)
        .await
        .unwrap_err();
    assert!(other.to_string().contains("names another movement"), "{other}");
    assert_eq!(ada.account_field("cash").await, dec!(150));
    house.at_rest().await;
}

#[tokio::test]
async fn led_1_a_pending_deposit_cannot_be_spent_before_it_is_collected() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    let moved = house
        .desk
        .deposit(&ada.account.to_string(), dollars(900), None, true)
        .await
        .unwrap();
    assert_eq!(ada.spendable().await, dec!(100));
    assert_eq!(ada.account_field("pending_transfer_in").await, dec!(900));
    house.desk.collect_deposit(moved.id).await.unwrap();
    house.desk.collect_deposit(moved.id).await.unwrap();
    assert_eq!(ada.spendable().await, dec!(1000));
    house.at_rest().await;
}

#[tokio::test]
async fn led_5_money_held_for_an_order_cannot_be_withdrawn_and_a_withdrawal_ends_one_way() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let (ada, desk) = (house.customer(1_000).await, &house.desk);
    let named = ada.account.to_string();
    let resting = ada.buy(10, "AAPL", "50.00").await;
    let refused = desk.withdraw(&named, dollars(501), None).await.unwrap_err();
    assert!(refused.to_string().contains("more than the 500.00"), "{refused}");
    let paid = desk.withdraw(&named, dollars(200), None).await.unwrap();
    assert_eq!(ada.spendable().await, dec!(300));
    desk.withdrawal_paid(paid.id).await.unwrap();
    assert!(
        desk.withdrawal_failed(paid.id)
            .await
            .unwrap_err()
            .to_string()
            .contains("has ended already")
    );
    let failed = desk.withdraw(&named, dollars(100), None).await.unwrap();
    desk.withdrawal_failed(failed.id).await.unwrap();
    assert_eq!(ada.spendable().await, dec!(300));
    ada.wait_for(resting, "new").await;
    house.at_rest().await;
}

#[tokio::test]
async fn unsettled_proceeds_can_be_spent_and_not_withdrawn() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(100).await;
    let bought = ada.buy(1, "AAPL", "100.00").await;
    ada.wait_for(bought, "filled").await;
    let sold = ada.sell(1, "AAPL", "99.00").await;
    ada.wait_for(sold, "filled").await;
    assert_eq!(ada.spendable().await, dec!(99));
    let refused = house
        .desk
        .withdraw(&ada.account.to_string(), dollars(1), None)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("have not settled"), "BP-9: {refused}");
}

#[tokio::test]
async fn a_blocked_account_places_nothing_and_cancels_all_the_same() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let resting = ada.buy(1, "AAPL", "50.00").await;
    house.desk.block(&ada.account.to_string(), true).await.unwrap();
    let (status, body) = ada.place(limit_order("buy", 1, "AAPL", "50.00", "day")).await;
    assert_eq!(status, 403, "{body}");
    assert_eq!(ada.cancel(resting).await.0, 204);
    ada.wait_for(resting, "canceled").await;
    house.desk.block(&ada.account.to_string(), false).await.unwrap();
    ada.buy(1, "AAPL", "50.00").await;
    house.at_rest().await;
}

#[tokio::test]
async fn a_revoked_key_is_soon_useless() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    ada.get("/v2/account").await;
    house.desk.revoke_key(&ada.key_id).await.unwrap();
    // Half a second on an idle machine, for which the key ring believes what it read; the bound leaves room for a busy one.
    wait_until("the key is refused", Duration::from_secs(30), || async {
        ada.call(Method::GET, "/v2/account", None).await.0 == 401
    })
    .await;
    assert!(house.desk.revoke_key(&ada.key_id).await.is_err(), "only once");
}

#[tokio::test]
async fn v16_each_act_is_written_down_and_an_act_that_changed_nothing_is_not() {
    let house = House::open().await;
    let acts = || async {
        let acts: Vec<String> = sqlx::query_scalar("select act from admin_acts order by act_id")
            .fetch_all(&house.db.pool)
            .await
            .unwrap();
        acts
    };
    let ada = house.customer(1_000).await;
    let opened = [
        "create_account",
        "set_tier",
        "deposit_started",
        "deposit_collected",
        "issue_key",
    ];
    assert_eq!(acts().await, opened);
    let moved = house
        .desk
        .withdraw(&ada.account.to_string(), dollars(10), Some(Uuid::from_u128(9)))
        .await
        .unwrap();
    house
        .desk
        .withdraw(&ada.account.to_string(), dollars(10), Some(moved.id))
        .await
        .unwrap();
    assert_eq!(acts().await[5..], ["withdrawal_asked"]);
    house
        .desk
        .withdraw(&ada.account.to_string(), dollars(10_000), None)
        .await
        .unwrap_err();
    assert_eq!(acts().await.len(), 6, "a refusal is no act");
}

#[tokio::test]
async fn the_demo_customers_are_seeded_once_and_keep_a_key_that_works() {
    let house = House::open().await;
    let folder = tempfile::tempdir().unwrap();
    let seed = || daybook::admin::seed::seed_into(&house.desk, folder.path(), "http://127.0.0.1:1");
    let read = || std::fs::read_to_string(folder.path().join("demo.env")).unwrap();
    let first = seed().await.unwrap();
    let text = read();
    let key = text
        .lines()
        .find_map(|line| line.strip_prefix("APCA_API_KEY_ID="))
        .unwrap();
    assert_eq!((seed().await.unwrap(), read()), (first, text.clone()));
    house.desk.revoke_key(key).await.unwrap();
    seed().await.unwrap();
    assert_ne!(read(), text, "a key that is of no use is replaced");
    let cash: Vec<Decimal> = sqlx::query_scalar("select avail from ledger_cash")
        .fetch_all(&house.db.pool)
        .await
        .unwrap();
    assert_eq!(cash, [dec!(1000000), dec!(1000000)]);
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(folder.path().join("demo.env"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// The commands as they are typed, through the folder alone.
#[tokio::test]
async fn the_folder_of_an_installation_is_all_that_the_commands_need() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("daybook.env"),
        format!("DAYBOOK_DATABASE_URL={}\n", house.settings().database_url()),
    )
    .unwrap();
    let run = |arguments: &[&str]| {
        let mut command = assert_cmd::Command::cargo_bin("daybook").unwrap();
        command
            .env_clear()
            .env("DAYBOOK_DATA_DIR", folder.path())
            .args(arguments);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (
            output.status.code().unwrap(),
            text,
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, text, _) = run(&["admin", "customer", "create", "Grace H."]);
    assert_eq!(code, 0, "{text}");
    let number = text.split_whitespace().last().unwrap().to_owned();
    assert_eq!(run(&["admin", "deposit", &number, "250.50"]).0, 0);
    let (_, ledger, _) = run(&["admin", "ledger", &number]);
    assert!(
        ledger.contains("250.50") && ledger.contains("deposit_collected"),
        "{ledger}"
    );
    let (code, _, error) = run(&["admin", "deposit", "nobody", "1"]);
    assert!(code == 1 && error.contains("customer list"), "{error}");
    assert_eq!(
        run(&["admin", "deposit", &number, "1.001"]).0,
        2,
        "a cent is the smallest amount"
    );

    let ada = house.customer(1_000).await;
    let order = ada.buy(1, "AAPL", "100.00").await;
    ada.wait_for(order, "filled").await;
    house.at_rest().await;
    let (_, life, _) = run(&["admin", "order", &order.to_string()]);
    for word in ["accepted", "fill", "submission", "AAPL"] {
        assert!(life.contains(word), "{word} is missing in\n{life}");
    }
    let (code, audit, _) = run(&["audit", "--at-rest"]);
    assert!(code == 0 && audit.contains("All"), "{audit}");
    let report: serde_json::Value = serde_json::from_str(&run(&["audit", "--json"]).1).unwrap();
    assert_eq!(report["ok"], true);
}

/// Whether a request is answered 429.
async fn is_limited(who: &Customer) -> bool {
    who.call(Method::GET, "/v2/clock", None).await.0 == 429
}

#[tokio::test]
async fn rsk_7_a_customers_limits_are_felt_within_moments_survive_a_restart_and_are_written_down() {
    let mut house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let named = ada.account.to_string();
    house.desk.set_tier(&named, "standard").await.unwrap();
    let three = SetLimit {
        account: Some(named.clone()),
        tier: None,
        class: ClassName::Read,
        per_minute: Some(3),
        burst: None,
        unlimited: false,
    };
    house.desk.set_limit(&three).await.unwrap();
    wait_until("the limit", Duration::from_secs(60), || is_limited(&ada)).await;
    ada.buy(1, "AAPL", "50.00").await;

    house.stop().await;
    house.start().await;
    wait_until("the limit again", Duration::from_secs(60), || is_limited(&ada)).await;
    house.desk.clear_limit(&named, Class::Read).await.unwrap();
    house.desk.set_tier(&named, "unlimited").await.unwrap();
    let ten_pass = async || {
        for _ in 0..10 {
            if is_limited(&ada).await {
                return false;
            }
        }
        true
    };
    wait_until("no limit", Duration::from_secs(60), ten_pass).await;
    let misspelt = house.desk.set_tier(&named, "unlimted").await.unwrap_err();
    assert!(
        misspelt.to_string().contains("nothing is set for a tier unlimted"),
        "{misspelt}"
    );

    let acts: Vec<(String, String)> = sqlx::query_as(
        "select act, detail from admin_acts where subject = $1 and act like '%\\_limit' or act = 'set_tier' order by at, act_id",
    )
    .bind(&named)
    .fetch_all(&house.db.pool)
    .await
    .unwrap();
    let acts: Vec<(&str, &str)> = acts
        .iter()
        .map(|(act, detail)| (act.as_str(), detail.as_str()))
        .collect();
    let expected = [
        ("set_tier", "unlimited"),
        ("set_tier", "standard"),
        ("set_limit", "read 3 a minute, 3 at once"),
        ("clear_limit", "read"),
        ("set_tier", "unlimited"),
    ];
    assert_eq!(acts, expected);
}

/// relay::broker_lost_data: where there is a relay, an operator has the log shipped again, as far as it is left, and nothing
/// happens twice.
#[tokio::test(flavor = "multi_thread")]
async fn v16_kafka_is_filled_again_by_an_act_that_is_written_down() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let buy = async || {
        let order = ada.buy(1, "AAPL", "100.00").await;
        ada.wait_for(order, "filled").await;
        house.at_rest().await;
    };
    buy().await;
    let begins = outbox_begins(&house).await;
    let since = [
        "--since",
        &(begins - TimeDelta::microseconds(1)).to_rfc3339_opts(SecondsFormat::Micros, true),
    ];
    if !house.is_on_kafka() {
        let refused = replay(&house, &since).await.unwrap_err();
        assert!(
            refused.contains("runs on the engine postgres: there is no relay"),
            "{refused}"
        );
        pretend_a_relay(&house).await;
    }
    let refused = replay(&house, &since).await.unwrap_err();
    let day = begins.format("%Y-%m-%dT00:00:00Z").to_string();
    for part in [format!("rows before {day} are dropped"), format!("say `--since {day}`")] {
        assert!(refused.contains(&part), "{refused}");
    }
    let all = "3 partitions are shipped again, their oldest row is of";
    let done = replay(&house, &["--since", &day]).await.unwrap();
    assert!(
        done.starts_with(all),
        "the partition of the one order in each topic: {done}"
    );
    if house.is_on_kafka() {
        buy().await;
        assert_eq!(ada.account_field("cash").await, dec!(800));
    } else {
        let done = replay(&house, &["--since", &day]).await.unwrap();
        assert!(
            done.starts_with("nothing is shipped again"),
            "it is to be shipped already: {done}"
        );
        pretend_it_was_shipped(&house).await;
    }
    let done = replay(&house, &["--oldest"]).await.unwrap();
    assert!(done.starts_with(all), "{done}");
    let acts = acts(&house).await;
    let written = acts.iter().filter(|(who, act)| who == "test" && act == "replay_bus");
    assert_eq!(written.count(), if house.is_on_kafka() { 2 } else { 3 }, "{acts:?}");
}

/// The command itself: what it prints, or why it fails.
async fn replay(house: &House, arguments: &[&str]) -> Result<String, String> {
    let ran = tokio::process::Command::new(env!("CARGO_BIN_EXE_daybook"))
        .env_clear()
        .env("DAYBOOK_DATABASE_URL", house.settings().database_url())
        .env("USER", "test")
        .args(["admin", "bus", "replay"])
        .args(arguments)
        .output()
        .await
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if ran.status.success() {
        Ok(text(ran.stdout))
    } else {
        Err(text(ran.stderr))
    }
}

/// The day from which the outbox has everything, after earlier ones were dropped.
async fn outbox_begins(house: &House) -> DateTime<Utc> {
    let mut conn = house.db.pool.acquire().await.unwrap();
    let today = db::database_time(&mut conn).await.unwrap().date_naive();
    let before = today - TimeDelta::days(5);
    bus::ensure_outbox_partitions(&mut conn, before).await.unwrap();
    let keep_from = (today - TimeDelta::days(2)).and_time(NaiveTime::MIN).and_utc();
    let dropped = bus::drop_outbox_partitions(&mut conn, keep_from).await.unwrap();
    assert_eq!(dropped.len(), 3);
    keep_from
}

/// As if one had shipped everything; there is none that would ship again.
async fn pretend_a_relay(house: &House) {
    for statement in [
        "update bus_engine set engine = 'kafka'",
        "insert into bus_positions (consumer_group, topic, partition, incarnation, xid)
         select 'relay', t, n, 1, '0'
           from unnest('{orders,venue-reports,order-updates}'::text[]) t
          cross join generate_series(0, 15) n",
    ] {
        sqlx::query(statement).execute(&house.db.pool).await.unwrap();
    }
    pretend_it_was_shipped(house).await;
}

async fn pretend_it_was_shipped(house: &House) {
    sqlx::query("update bus_positions set xid = '9223372036854775807' where consumer_group = 'relay'")
        .execute(&house.db.pool)
        .await
        .unwrap();
}
