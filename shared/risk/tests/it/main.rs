//! What is in force, and what operators change about it, on a real database.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use db::PgConnection;
use domain::{AccountId, Symbol};
use risk::desk::{self, LiftError, NewSwitch, Restriction, Setting};
use risk::{Lifting, Mode, Overrides, Risk, Scope, Settings, Target};
use testkit::{TestDb, start_of_time, wait_until};
use uuid::Uuid;

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).unwrap()
}

fn ada() -> AccountId {
    AccountId::new(Uuid::from_u128(1))
}

fn kill(target: Target, mode: Mode) -> NewSwitch {
    NewSwitch {
        target,
        mode,
        reason: "a test".to_owned(),
        by: "ada".to_owned(),
    }
}

async fn set(conn: &mut PgConnection, new: &NewSwitch) -> Setting {
    let ids = testkit::ids(Uuid::from_u128(7).as_u64_pair().1);
    desk::set(conn, &*ids, new, start_of_time()).await.unwrap().0
}

async fn lift(conn: &mut PgConnection, target: &Target, by: &str) -> Result<Lifting, LiftError> {
    desk::lift(conn, target, by, "it is over", start_of_time())
        .await
        .map(|(lifting, _)| lifting)
}

#[tokio::test]
async fn rsk_6_a_switch_is_felt_within_a_second_by_whoever_reads_and_after_a_restart() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let (running, target) = (Risk::new(), Target::Symbol(symbol("AAPL")));
    let stops = |in_force: &risk::InForce| in_force.stops(&symbol("AAPL"), ada(), "exchange").is_some();
    assert!(!stops(&running.current(&mut conn).await.unwrap()));
    assert_eq!(
        set(&mut conn, &kill(target.clone(), Mode::BlockNew)).await,
        Setting::New
    );
    wait_until("the running process feels it", Duration::from_secs(60), async || {
        let mut conn = db.pool.acquire().await.unwrap();
        stops(&running.current(&mut conn).await.unwrap())
    })
    .await;
    assert!(
        stops(&Risk::new().current(&mut conn).await.unwrap()),
        "a process that starts"
    );
}

#[tokio::test]
async fn rsk_6_a_switch_in_force_is_only_made_stronger_and_two_persons_lift_it() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let target = Target::Firm;
    assert!(matches!(
        lift(&mut conn, &target, "ada").await,
        Err(LiftError::NotSet(_))
    ));
    assert_eq!(
        set(&mut conn, &kill(target.clone(), Mode::BlockNew)).await,
        Setting::New
    );
    assert_eq!(lift(&mut conn, &target, "ada").await.unwrap(), Lifting::Proposed);
    assert!(matches!(
        lift(&mut conn, &target, "Ada").await,
        Err(LiftError::Refused(_))
    ));
    // Whoever sets it again voids the wish to lift it.
    let stronger = kill(target.clone(), Mode::BlockNewAndCancelAll);
    assert_eq!(set(&mut conn, &stronger).await, Setting::Stronger);
    assert_eq!(
        set(&mut conn, &kill(target.clone(), Mode::BlockNew)).await,
        Setting::Already
    );
    let in_force = desk::switches(&mut conn, false).await.unwrap();
    assert_eq!(
        (in_force[0].mode, in_force[0].lift_proposed_by.clone()),
        (stronger.mode, None)
    );
    assert_eq!(lift(&mut conn, &target, "bob").await.unwrap(), Lifting::Proposed);
    assert_eq!(lift(&mut conn, &target, "ada").await.unwrap(), Lifting::Lifted);
    assert!(desk::switches(&mut conn, false).await.unwrap().is_empty());
    assert_eq!(
        desk::switches(&mut conn, true).await.unwrap()[0].lifted_by.as_deref(),
        Some("ada")
    );
}

#[tokio::test]
async fn rsk_6_not_even_the_table_lets_one_person_lift_a_switch() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    set(&mut conn, &kill(Target::Firm, Mode::BlockNew)).await;
    let alone = "update kill_switches set lift_proposed_by = 'ada', lifted_by = 'ADA', lifted_at = daybook_now()";
    let refused = sqlx::query(alone).execute(&mut *conn).await.unwrap_err();
    assert!(refused.to_string().contains("two_persons"), "{refused}");
}

#[tokio::test]
async fn rsk_3_settings_are_stored_by_scope_and_taken_back() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let mut all = Overrides::default();
    for (name, value) in Overrides::from(Settings::default()).made() {
        all.set(name, &value).unwrap();
    }
    let tier = Overrides {
        max_firm_open_value: None,
        ..all
    };
    for (scope, row) in [
        (Scope::Firm, all),
        (Scope::Tier("pro".to_owned()), tier),
        (Scope::Account(ada()), tier),
    ] {
        desk::put_overrides(&mut conn, &scope, &row, "ada", start_of_time())
            .await
            .unwrap();
        assert_eq!(desk::overrides(&mut conn, &scope).await.unwrap(), row);
    }
    let only_firm = desk::put_overrides(&mut conn, &Scope::Account(ada()), &all, "ada", start_of_time()).await;
    assert!(only_firm.is_err(), "the firm's limit belongs to the firm");
    for (scope, _) in desk::all_overrides(&mut conn).await.unwrap() {
        let nothing = Overrides::default();
        desk::put_overrides(&mut conn, &scope, &nothing, "ada", start_of_time())
            .await
            .unwrap();
    }
    assert!(desk::all_overrides(&mut conn).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_restricted_list_is_for_everybody_or_for_one() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let row = |account| Restriction {
        symbol: symbol("AAPL"),
        account,
        reason: "a test".to_owned(),
        added_by: "ada".to_owned(),
        added_at: start_of_time(),
    };
    for account in [None, Some(ada())] {
        assert!(desk::restrict(&mut conn, &row(account)).await.unwrap());
        assert!(!desk::restrict(&mut conn, &row(account)).await.unwrap());
    }
    assert_eq!(
        desk::restrictions(&mut conn).await.unwrap(),
        [row(None), row(Some(ada()))]
    );
    assert!(desk::unrestrict(&mut conn, &symbol("AAPL"), None).await.unwrap());
    let in_force = Risk::new().current(&mut conn).await.unwrap();
    assert!(in_force.is_restricted(&symbol("AAPL"), ada()) && in_force.restricted.is_empty());
}

#[tokio::test]
async fn rsk_6_what_cannot_be_read_is_an_error_and_never_no_switch() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    sqlx::query("alter table kill_switches rename to kill_switches_gone")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert!(Risk::new().current(&mut conn).await.is_err());
}

/// What is stored is what was set, whichever setting it is.
#[tokio::test]
async fn rsk_3_every_setting_is_kept() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let (mut all, scope) = (Overrides::from(Settings::default()), Scope::Firm);
    // Each of its own, so that none stands in another one's column.
    for (n, name) in Overrides::NAMES.iter().enumerate() {
        let value = if name.starts_with("refuse") {
            (n % 2 == 0).to_string()
        } else {
            (n + 1).to_string()
        };
        all.set(name, &value).unwrap();
    }
    desk::put_overrides(&mut conn, &scope, &all, "ada", start_of_time())
        .await
        .unwrap();
    assert_eq!(desk::overrides(&mut conn, &scope).await.unwrap(), all);
    let other = Overrides::from(Settings::default());
    desk::put_overrides(&mut conn, &scope, &other, "ada", start_of_time())
        .await
        .unwrap();
    assert_eq!(desk::all_overrides(&mut conn).await.unwrap(), [(scope, other)]);
}
