//! The operator's listener and the commands about jobs: the same acts, each written down, and never on the customers' port.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::wait_until;

use crate::harness::customer::http;
use crate::house::{ADMIN_TOKEN, House};

const PATIENCE: Duration = Duration::from_secs(60);

/// One request; the status and the body (null when there is none).
pub async fn call(house: &House, method: Method, path: impl std::fmt::Display, body: Option<Value>) -> (u16, Value) {
    let request = http().request(method, format!("{}{path}", house.admin_url()));
    let request = request.bearer_auth(ADMIN_TOKEN).header("X-Operator", "ada");
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or(Value::Null))
}

pub async fn get(house: &House, path: &str) -> Value {
    let (status, body) = call(house, Method::GET, path, None).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

pub async fn acts(house: &House) -> Vec<(String, String)> {
    sqlx::query_as("select actor, act from admin_acts order by act_id")
        .fetch_all(&house.db.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_operator_runs_a_job_reads_its_log_and_lets_it_rest() {
    let house = House::open().await;
    wait_until("the schedules", PATIENCE, || async {
        get(&house, "/admin/v1/jobs")
            .await
            .as_array()
            .is_some_and(|all| !all.is_empty())
    })
    .await;
    let (status, run) = call(&house, Method::POST, "/admin/v1/jobs/housekeeping/run", Some(json!({}))).await;
    assert_eq!((status, run["by_hand"].as_bool()), (202, Some(true)), "{run}");
    let path = format!("/admin/v1/jobs/housekeeping/runs/{}", run["run_id"].as_str().unwrap());
    wait_until("its end", PATIENCE, || async {
        get(&house, &path).await["state"] == "done"
    })
    .await;
    let lines = get(&house, &format!("{path}/lines")).await;
    assert!(lines[0]["line"].as_str().unwrap().starts_with("done: "), "{lines}");
    let runs = get(&house, "/admin/v1/jobs/housekeeping/runs?limit=5").await;
    assert!(
        runs.as_array()
            .unwrap()
            .iter()
            .any(|seen| seen["run_id"] == run["run_id"]),
        "{runs}"
    );
    for _ in 0..2 {
        let (status, view) = call(&house, Method::POST, "/admin/v1/jobs/housekeeping/pause", None).await;
        assert_eq!((status, view["paused_at"].is_string()), (200, true), "{view}");
    }
    let (_, view) = call(&house, Method::POST, "/admin/v1/jobs/housekeeping/resume", None).await;
    assert!(view["paused_at"].is_null(), "{view}");
    let expected = ["run_job", "pause_job", "resume_job"].map(|act| ("http:ada".to_owned(), act.to_owned()));
    assert_eq!(acts(&house).await, expected, "a second pause changes nothing");
}

#[tokio::test]
async fn an_operator_adds_a_schedule_takes_it_away_and_is_told_what_is_wrong() {
    let house = House::open().await;
    let known = || async { !get(&house, "/admin/v1/jobs").await.as_array().unwrap().is_empty() };
    wait_until("the schedules", PATIENCE, known).await;
    let draft = |spec: &str| json!({"name": "tidy-up", "job": "housekeeping", "spec": spec, "missed": "skip"});
    let add = |body: Value| call(&house, Method::POST, "/admin/v1/jobs", Some(body));
    let (status, view) = add(draft("close + 10m")).await;
    assert_eq!((status, view["made_by"].as_str()), (201, Some("api")), "{view}");
    let mut unknown = draft("close");
    unknown["name"] = "other".into();
    unknown["job"] = "nonsense".into();
    let mut misspelt = draft("close");
    misspelt["colour"] = "red".into();
    for (body, status, code) in [
        (draft("close"), 422, 42_210_000),
        (draft("at noon"), 422, 40_010_001),
        (unknown, 422, 40_010_001),
        (misspelt, 422, 40_010_001),
    ] {
        let (got, body) = add(body).await;
        assert_eq!((got, body["code"].as_u64()), (status, Some(code)), "{body}");
    }
    let delete = |name: &str| call(&house, Method::DELETE, format!("/admin/v1/jobs/{name}"), None);
    assert_eq!(delete("housekeeping").await.0, 422);
    assert_eq!(delete("tidy-up").await.0, 204);
    assert_eq!(delete("tidy-up").await.0, 404);
    assert_eq!(call(&house, Method::GET, "/admin/v1/jobs/tidy-up", None).await.0, 404);
    assert_eq!(call(&house, Method::GET, "/admin/v1/alerts?limit=0", None).await.0, 422);
}

#[tokio::test]
async fn an_alert_is_listed_until_an_operator_takes_note() {
    let house = House::open().await;
    let alert = scheduler::engine::alerts::NewAlert {
        kind: "test_kind",
        subject: "a".to_owned(),
        message: "look at a".to_owned(),
    };
    let mut conn = house.db.pool.acquire().await.unwrap();
    let now = db::database_time(&mut conn).await.unwrap();
    scheduler::engine::alerts::raise(&mut conn, &alert, now).await.unwrap();
    let listed = get(&house, "/admin/v1/alerts").await;
    let mine = |listed: &Value| {
        listed
            .as_array()
            .unwrap()
            .iter()
            .find(|alert| alert["kind"] == "test_kind")
            .cloned()
    };
    let id = mine(&listed).unwrap()["alert_id"].as_str().unwrap().to_owned();
    let ack = || call(&house, Method::POST, format!("/admin/v1/alerts/{id}/ack"), None);
    assert_eq!((ack().await.0, ack().await.0), (204, 404));
    assert_eq!(mine(&get(&house, "/admin/v1/alerts").await), None);
    let noted = mine(&get(&house, "/admin/v1/alerts?all=true").await).unwrap();
    assert_eq!(noted["acked_by"], "http:ada");
}

#[tokio::test]
async fn the_listener_wants_its_token_and_customers_do_not_reach_it() {
    let house = House::open().await;
    let jobs = format!("{}/admin/v1/jobs", house.admin_url());
    for token in [None, Some(""), Some("wrong-wrong-wrong"), Some(&ADMIN_TOKEN[1..])] {
        let request = http().get(&jobs);
        let request = token.map_or(http().get(&jobs), |token| request.bearer_auth(token));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401, "{token:?}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["code"], 40_110_000, "{body}");
    }
    let customers = http()
        .get(format!("{}/admin/v1/jobs", house.url()))
        .bearer_auth(ADMIN_TOKEN);
    assert_eq!(customers.send().await.unwrap().status(), 404);
    let health = http()
        .get(format!("{}/readyz", house.admin_url()))
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 404, "health is asked for at the customers' door");
}

/// Each way in which a customer may show a key is a stranger's on the operator's listener, whatever is asked for.
#[tokio::test]
async fn a_customers_key_opens_nothing_of_the_operators() {
    let house = House::open().await;
    let ada = house.customer(1).await;
    let done = acts(&house).await;
    let id = "11111111-2222-4333-8444-555555555555";
    let run = format!("/admin/v1/jobs/housekeeping/runs/{id}");
    let routes = [
        (Method::GET, "/admin/v1/jobs".to_owned()),
        (Method::POST, "/admin/v1/jobs".to_owned()),
        (Method::GET, "/admin/v1/jobs/housekeeping".to_owned()),
        (Method::DELETE, "/admin/v1/jobs/housekeeping".to_owned()),
        (Method::POST, "/admin/v1/jobs/housekeeping/run".to_owned()),
        (Method::POST, "/admin/v1/jobs/housekeeping/pause".to_owned()),
        (Method::POST, "/admin/v1/jobs/housekeeping/resume".to_owned()),
        (Method::GET, "/admin/v1/jobs/housekeeping/runs".to_owned()),
        (Method::GET, run.clone()),
        (Method::GET, format!("{run}/lines")),
        (Method::GET, "/admin/v1/alerts".to_owned()),
        (Method::POST, format!("/admin/v1/alerts/{id}/ack")),
        (Method::GET, "/admin/v1/parked".to_owned()),
        (Method::GET, format!("/admin/v1/parked/{id}")),
        (Method::POST, format!("/admin/v1/parked/{id}/requeue")),
        (Method::POST, format!("/admin/v1/parked/{id}/discard")),
        (Method::GET, "/admin/v1/venues".to_owned()),
        (Method::POST, "/admin/v1/venues/exchange/open".to_owned()),
        (Method::POST, "/admin/v1/venues/exchange/close".to_owned()),
    ];
    for (method, path) in routes {
        let ask = || http().request(method.clone(), format!("{}{path}", house.admin_url()));
        let ways = [
            ask()
                .header("APCA-API-KEY-ID", &ada.key_id)
                .header("APCA-API-SECRET-KEY", &ada.secret),
            ask().basic_auth(&ada.key_id, Some(&ada.secret)),
            ask().bearer_auth(&ada.secret),
        ];
        for way in ways {
            let answer = way.send().await.unwrap();
            assert_eq!(answer.status(), 401, "{method} {path}");
        }
    }
    assert_eq!(acts(&house).await, done, "nothing was done");
}

#[tokio::test]
async fn the_commands_show_what_the_listener_shows() {
    let house = House::open().await;
    let known = || async { !get(&house, "/admin/v1/jobs").await.as_array().unwrap().is_empty() };
    wait_until("the schedules", PATIENCE, known).await;
    let url = house.settings().database_url().to_owned();
    let told = move |arguments: &'static [&'static str]| {
        let url = url.clone();
        let run = move || {
            let mut command = assert_cmd::Command::cargo_bin("daybook").unwrap();
            let output = command
                .arg("admin")
                .args(arguments)
                .env("DAYBOOK_DATABASE_URL", url)
                .output()
                .unwrap();
            assert!(output.status.success(), "{arguments:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        async { tokio::task::spawn_blocking(run).await.unwrap() }
    };
    let listed: Value = serde_json::from_str(&told(&["jobs", "list", "--json"]).await).unwrap();
    assert_eq!(listed[0]["name"], get(&house, "/admin/v1/jobs").await[0]["name"]);
    told(&["jobs", "run", "housekeeping", "--argument", "why=test"]).await;
    told(&[
        "jobs",
        "add",
        "once",
        "--job",
        "housekeeping",
        "--at",
        "2099-01-01T00:00:00Z",
    ])
    .await;
    let table = told(&["jobs", "list"]).await;
    assert!(table.contains("at 2099-01-01T00:00:00Z"), "{table}");
    told(&["jobs", "pause", "once"]).await;
    told(&["jobs", "resume", "once"]).await;
    told(&["jobs", "remove", "once"]).await;
    let shown = told(&["jobs", "show", "housekeeping"]).await;
    assert!(shown.contains("(by hand)"), "{shown}");
    told(&["alerts", "list"]).await;
    let acts: Vec<String> = acts(&house).await.into_iter().map(|(_, act)| act).collect();
    assert_eq!(acts, ["run_job", "add_job", "pause_job", "resume_job", "remove_job"]);
}
