//! Alerts and the operator's webhook.
#![expect(clippy::unwrap_used, reason = "tests")]

use chassis::step::{Progress, Step};
use scheduler::engine::Webhook;
use scheduler::engine::alerts::{self, NewAlert};
use serde_json::Value;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::rig::{Rig, at};

const MONDAY: &str = "2026-11-23T15:00:30Z";

fn alert(subject: &str) -> NewAlert {
    NewAlert {
        kind: "test_kind",
        subject: subject.to_owned(),
        message: format!("look at {subject}"),
    }
}

async fn raise(rig: &Rig, subject: &str) -> bool {
    let mut conn = rig.db.pool.acquire().await.unwrap();
    let now = db::database_time(&mut conn).await.unwrap();
    alerts::raise(&mut conn, &alert(subject), now).await.unwrap()
}

#[tokio::test]
async fn there_is_one_open_alert_about_one_thing_and_a_new_one_once_it_is_over() {
    let rig = Rig::at(MONDAY).await;
    assert!(raise(&rig, "a").await);
    assert!(!raise(&rig, "a").await);
    assert!(raise(&rig, "b").await);
    let mut conn = rig.db.pool.acquire().await.unwrap();
    let later = at("2026-11-23T16:00:00Z");
    assert!(alerts::clear(&mut conn, "test_kind", "a", later).await.unwrap());
    assert!(!alerts::clear(&mut conn, "test_kind", "a", later).await.unwrap());
    assert!(raise(&rig, "a").await, "it happened again");
    let all = alerts::list(&mut conn, true, 10).await.unwrap();
    let told: Vec<(&str, i64)> = all.iter().map(|alert| (alert.subject.as_str(), alert.times)).collect();
    assert_eq!(told, [("a", 1), ("b", 1), ("a", 2)]);
    assert_eq!(alerts::list(&mut conn, false, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_alert_that_somebody_took_note_of_is_not_told_again_while_it_lasts() {
    let rig = Rig::at(MONDAY).await;
    raise(&rig, "a").await;
    let mut conn = rig.db.pool.acquire().await.unwrap();
    let id = alerts::list(&mut conn, false, 10).await.unwrap()[0].alert_id;
    assert!(alerts::ack(&mut conn, id, "ada", at(MONDAY)).await.unwrap());
    assert!(!alerts::ack(&mut conn, id, "bob", at(MONDAY)).await.unwrap());
    assert!(!raise(&rig, "a").await);
    assert!(alerts::list(&mut conn, false, 10).await.unwrap().is_empty());
    let all = alerts::list(&mut conn, true, 10).await.unwrap();
    assert_eq!((all[0].acked_by.as_deref(), all[0].times), (Some("ada"), 2));
}

#[tokio::test]
async fn a_condition_that_is_looked_at_again_and_again_has_the_alerts_it_has_now() {
    let rig = Rig::at(MONDAY).await;
    let mut conn = rig.db.pool.acquire().await.unwrap();
    for wanted in [&["a", "b"][..], &["b", "c"], &["b", "c"], &[]] {
        let wanted: Vec<NewAlert> = wanted.iter().map(|subject| alert(subject)).collect();
        alerts::keep(&mut conn, "test_kind", &wanted, at(MONDAY)).await.unwrap();
        let mut open: Vec<String> = rig.alerts().await.into_iter().map(|(_, subject)| subject).collect();
        open.sort();
        assert_eq!(
            open,
            wanted.iter().map(|alert| alert.subject.clone()).collect::<Vec<_>>()
        );
    }
    assert_eq!(alerts::list(&mut conn, true, 10).await.unwrap().len(), 3);
}

fn webhook(rig: &Rig, target: &MockServer) -> Webhook {
    let url = format!("{}/hook?token=very-secret", target.uri());
    Webhook::new(rig.db.pool.clone(), rig.ids.clone(), url.into())
}

async fn target(status: u16) -> MockServer {
    let target = MockServer::start().await;
    let hook = Mock::given(method("POST")).and(path("/hook"));
    hook.respond_with(ResponseTemplate::new(status)).mount(&target).await;
    target
}

async fn bodies(target: &MockServer) -> Vec<Value> {
    let calls = target.received_requests().await.unwrap();
    calls.iter().map(|call| call.body_json().unwrap()).collect()
}

#[tokio::test]
async fn v14_the_operators_webhook_gets_each_alert_once_it_answers_and_under_one_id() {
    let rig = Rig::at(MONDAY).await;
    raise(&rig, "a").await;
    let target = target(500).await;
    let mut step = webhook(&rig, &target);
    assert_eq!(step.step().await.unwrap(), Progress::Worked);
    assert_eq!(step.step().await.unwrap(), Progress::Idle, "after a pause");
    rig.pass(0, 6).await;
    step.step().await.unwrap();
    target.reset().await;
    let hook = Mock::given(method("POST")).respond_with(ResponseTemplate::new(204));
    hook.mount(&target).await;
    rig.pass(1, 0).await;
    step.step().await.unwrap();
    rig.pass(60, 0).await;
    assert_eq!(step.step().await.unwrap(), Progress::Idle, "it has it");
    let bodies = bodies(&target).await;
    let mut conn = rig.db.pool.acquire().await.unwrap();
    let stored = alerts::list(&mut conn, false, 10).await.unwrap().remove(0);
    assert_eq!(bodies[0]["alert_id"], stored.alert_id.to_string());
    assert_eq!(
        (bodies[0]["kind"].as_str(), bodies[0]["subject"].as_str()),
        (Some("test_kind"), Some("a"))
    );
    assert_eq!((stored.deliveries, stored.delivery_error), (3, None));
    assert!(stored.delivered_at.is_some());
}

#[tokio::test]
async fn a_process_that_dies_while_it_delivers_leaves_the_alert_to_the_next() {
    let rig = Rig::at(MONDAY).await;
    raise(&rig, "a").await;
    // As the first half of a delivery leaves it.
    sqlx::query("update operator_alerts set deliveries = 1, deliver_after = daybook_now() + interval '30 seconds'")
        .execute(&rig.db.pool)
        .await
        .unwrap();
    let target = target(200).await;
    let mut step = webhook(&rig, &target);
    assert_eq!(step.step().await.unwrap(), Progress::Idle);
    rig.pass(0, 31).await;
    assert_eq!(step.step().await.unwrap(), Progress::Worked);
    assert_eq!(bodies(&target).await.len(), 1);
}

#[tokio::test]
async fn two_processes_do_not_deliver_one_alert_at_the_same_time() {
    let rig = Rig::at(MONDAY).await;
    raise(&rig, "a").await;
    let target = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_delay(std::time::Duration::from_millis(500));
    Mock::given(method("POST")).respond_with(slow).mount(&target).await;
    let (mut one, mut other) = (webhook(&rig, &target), webhook(&rig, &target));
    let (first, second) = tokio::join!(one.step(), other.step());
    let outcomes = [first.unwrap(), second.unwrap()];
    assert!(outcomes.contains(&Progress::Worked) && outcomes.contains(&Progress::Idle));
    assert_eq!(bodies(&target).await.len(), 1);
}

#[tokio::test]
async fn a_webhook_that_fails_is_seen_and_its_address_is_not() {
    let rig = Rig::at(MONDAY).await;
    raise(&rig, "a").await;
    let target = MockServer::start().await;
    let mut step = webhook(&rig, &target);
    drop(target);
    for _ in 0..6 {
        step.step().await.unwrap();
        rig.pass(11, 0).await;
    }
    let kinds: Vec<String> = rig.alerts().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["test_kind", "webhook_failing"]);
    let mut conn = rig.db.pool.acquire().await.unwrap();
    for alert in alerts::list(&mut conn, true, 10).await.unwrap() {
        let told = format!("{alert:?}");
        assert!(!told.contains("very-secret"), "{told}");
    }
}
