//! Risk controls in a running brokerage: kill switches by the command line (RSK-6), limits by account (RSK-3), and the audit
//! chain (V16).

use std::time::{Duration, Instant};

use rust_decimal::Decimal;
use serde_json::Value;
use testkit::wait_until;
use uuid::Uuid;

use crate::harness::Customer;
use crate::harness::customer::limit_order;
use crate::house::House;

const PATIENCE: Duration = Duration::from_secs(60);

/// Places an order and tells why it was refused, if it was.
async fn refusal(who: &Customer, price: &str) -> Option<String> {
    let (status, body) = who.place(limit_order("buy", 1, "AAPL", price, "day")).await;
    (status == 403).then(|| body["message"].as_str().unwrap().to_owned())
}

async fn until_refused(who: &Customer) -> String {
    let said = std::sync::Mutex::new(None);
    wait_until("new orders are refused", PATIENCE, async || {
        let told = refusal(who, "1.00").await;
        let refused = told.is_some();
        *said.lock().unwrap() = told;
        refused
    })
    .await;
    said.into_inner().unwrap().unwrap()
}

fn kill(house: &House, words: &[&str]) -> (i32, String) {
    house.command(&[&["admin", "kill"], words].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn rsk_6_a_kill_switch_is_felt_at_once_survives_a_restart_and_takes_two_persons_to_lift() {
    let mut house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 5).await;
    let ada = house.customer(10_000).await;
    let before = ada.buy(1, "AAPL", "50.00").await;
    ada.wait_for(before, "new").await;
    let (code, said) = kill(&house, &["set", "symbol", "aapl", "--reason", "a test", "--by", "ada"]);
    assert_eq!(code, 0, "{said}");
    let set_at = Instant::now();
    assert_eq!(until_refused(&ada).await, "new orders are stopped in this symbol");
    // On an idle machine a quarter of a second; the bound leaves room for a busy one.
    assert!(set_at.elapsed() < Duration::from_secs(30), "{:?}", set_at.elapsed());
    house.stop().await;
    house.start().await;
    assert!(refusal(&ada, "1.00").await.is_some(), "from the first order on");
    assert_eq!(ada.cancel(before).await.0, 204, "cancels pass");
    ada.wait_for(before, "canceled").await;

    let lift = |by: &str| kill(&house, &["lift", "symbol", "AAPL", "--reason", "over", "--by", by]);
    assert_eq!(lift("ada").0, 0);
    let (code, said) = lift("Ada");
    assert!(code != 0 && said.contains("somebody else has to agree"), "{said}");
    assert!(refusal(&ada, "1.00").await.is_some(), "one person lifts nothing");
    assert_eq!(lift("bob").0, 0);
    wait_until("orders are taken again", PATIENCE, async || {
        refusal(&ada, "1.00").await.is_none()
    })
    .await;
    let acts: Vec<(String, String)> =
        sqlx::query_as("select act, actor from admin_acts where subject = 'symbol AAPL' order by act_no")
            .fetch_all(&house.db.pool)
            .await
            .unwrap();
    let act = |act: &str, actor: &str| (act.to_owned(), actor.to_owned());
    assert_eq!(
        acts,
        [
            act("set_kill_switch", "ada"),
            act("propose_lift_kill_switch", "ada"),
            act("lift_kill_switch", "bob")
        ],
        "V16: each act that was done, and none that was refused"
    );
    house.at_rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rsk_6_block_new_and_cancel_all_ends_every_open_order_and_lets_the_money_go() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 5).await;
    let (ada, bob) = (house.customer(10_000).await, house.customer(10_000).await);
    let mut open: Vec<(&Customer, Uuid)> = vec![];
    for n in 0..6 {
        let who = if n % 2 == 0 { &ada } else { &bob };
        open.push((who, who.buy(1, "AAPL", &format!("{}.00", 50 + n)).await));
    }
    let words = [
        "set",
        "firm",
        "--mode",
        "block_new_and_cancel_all",
        "--reason",
        "a test",
    ];
    let (code, said) = kill(&house, &words);
    assert_eq!(code, 0, "{said}");
    for (who, order) in open {
        who.wait_for(order, "canceled").await;
    }
    assert_eq!(until_refused(&ada).await, "new orders are stopped for everybody");
    assert_eq!(
        (ada.spendable().await, bob.spendable().await),
        (10_000.into(), 10_000.into())
    );
    house.at_rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rsk_3_an_operator_sets_limits_by_account_and_sees_who_said_what() {
    let house = House::open().await;
    let ada = house.customer(10_000).await;
    let account = ada.account.to_string();
    let risk = |words: &[&str]| house.command(&[&["admin", "risk"], words].concat());
    let (code, said) = risk(&[
        "set",
        "--account",
        &account,
        "max-order-value=5",
        "refuse-duplicates=true",
    ]);
    assert_eq!(code, 0, "{said}");
    wait_until("the limit is felt", PATIENCE, async || {
        refusal(&ada, "6.00").await.as_deref() == Some("order value 6.00 is above the limit of 5.00")
    })
    .await;
    let (_, shown) = risk(&["show", "--account", &account, "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["max-order-value"]["said_by"], format!("account {account}"));
    assert_eq!(
        (&shown["collar"]["said_by"], &shown["collar"]["value"]),
        (&"installation".into(), &"0.1".into())
    );
    for wrong in [
        &["set", "--account", &account, "max-order-value=0"][..],
        &["set", "--tier", "pro", "max-firm-open-value=5"],
        &["set", "--account", &account, "color=red"],
        &["set", "max-order-value=5"],
    ] {
        assert_ne!(risk(wrong).0, 0, "{wrong:?}");
    }
    let (code, said) = risk(&["set", "--tier", "careful", "collar=0.02"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = house.command(&["admin", "limits", "tier", &account, "careful"]);
    assert_eq!(code, 0, "{said}");
    let (_, shown) = risk(&["show", "--account", &account, "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["collar"]["said_by"], "tier careful");
    let (code, said) = risk(&["restrict", "add", "AAPL", "--account", &account, "--reason", "a test"]);
    assert_eq!(code, 0, "{said}");
    wait_until("the list is felt", PATIENCE, async || {
        refusal(&ada, "1.00").await.as_deref() == Some("trading in AAPL is restricted")
    })
    .await;
    house.at_rest().await;
}

/// From the exchange's bars to the customer's refusal: it is asked when the process starts.
#[tokio::test(flavor = "multi_thread")]
async fn rsk_3_an_order_is_measured_by_what_the_exchange_says_trades_in_a_day() {
    let house = House::open().await;
    let ada = house.customer(10_000).await;
    let account = ada.account.to_string();
    let words = [
        "admin",
        "risk",
        "set",
        "--account",
        &account,
        "max-volume-share=0.0000001",
    ];
    let (code, said) = house.command(&words);
    assert_eq!(code, 0, "{said}");
    let told = std::sync::Mutex::new(String::new());
    wait_until("the volumes are known and the limit is felt", PATIENCE, async || {
        let (status, body) = ada.place(limit_order("buy", 7, "AAPL", "1.00", "day")).await;
        *told.lock().unwrap() = body["message"].as_str().unwrap_or_default().to_owned();
        status == 403
    })
    .await;
    let told = told.into_inner().unwrap();
    let (limit, average) = told
        .strip_prefix("qty 7 is above the limit of ")
        .and_then(|rest| rest.strip_suffix(": send smaller orders"))
        .and_then(|rest| rest.split_once(", 0.00001 percent of the average daily volume of "))
        .expect(&told);
    let average: u64 = average.parse().unwrap();
    // What the bundled exchange makes up for AAPL.
    assert!((33_600_000..=62_400_000).contains(&average), "{told}");
    assert_eq!(
        limit.parse::<Decimal>().unwrap(),
        Decimal::new(average.try_into().unwrap(), 7).normalize()
    );
    let (status, body) = ada.place(limit_order("buy", 3, "AAPL", "1.00", "day")).await;
    assert_eq!(status, 200, "{body}");
    house.at_rest().await;
}

/// Whether the chain has begun; else a run by hand is asked for, unless one is under way. One run need not be enough: it leaves
/// alone what is younger than the oldest transaction of the server, and other databases have theirs.
async fn is_sealed(house: &House) -> bool {
    let count = async |query: &'static str| {
        let rows: i64 = sqlx::query_scalar(query).fetch_one(&house.db.pool).await.unwrap();
        rows
    };
    if count("select count(*) from audit_chain").await > 0 {
        return true;
    }
    if count("select count(*) from job_runs where schedule = 'seal-audit' and finished_at is null").await == 0 {
        // Refused until the schedules are made.
        house.desk.run_job("seal-audit", &serde_json::Map::new()).await.ok();
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn v16_audit_chain_holds_over_the_acts_of_a_house_and_names_what_was_changed() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    wait_until("the acts are sealed", PATIENCE, async || is_sealed(&house).await).await;
    let (code, said) = house.command(&["audit", "--chain"]);
    assert!(code == 0 && said.contains("holds, it ends at"), "{said}");
    let head = said.trim().rsplit(' ').next().unwrap().to_owned();
    let (code, said) = house.command(&["audit", "--chain", "--head", &head]);
    assert_eq!(code, 0, "{said}");
    let other = format!("1:{}", "0".repeat(64));
    let (code, said) = house.command(&["audit", "--chain", "--head", &other]);
    assert!(code == 1 && said.contains("not the one that was noted"), "{said}");
    let tampering = "set session_replication_role = replica;
                     update admin_acts set detail = 'DB000000000 limited_margin' where act = 'create_account';
                     reset session_replication_role";
    sqlx::raw_sql(tampering).execute(&house.db.pool).await.unwrap();
    let (code, said) = house.command(&["audit", "--chain"]);
    assert!(
        code == 1 && said.contains("the first: act ") && said.contains("was altered"),
        "{said}"
    );
    drop(ada);
}
