//! No key, revoked, unknown, wrong: the same answer everywhere, byte for byte.

use axum::body::to_bytes;
use axum::http::{HeaderMap, Request, StatusCode};
use order_manager::Config;
use order_manager::limits::LimitSettings;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tower::ServiceExt;

use super::routes::{Heard, Ids, Line, matrix};
use crate::house::{Customer, House};
use crate::street::{Street, authorization};

/// Ways not to be known, by headers.
async fn unknown(house: &House) -> Vec<Vec<(&'static str, String)>> {
    let (ada, bob, revoked) = (
        house.customer(0).await,
        house.customer(0).await,
        house.customer(0).await,
    );
    revoke(house, &revoked).await;
    let pair = |key_id: &str, secret: &str| vec![(KEY, key_id.to_owned()), (SECRET, secret.to_owned())];
    let authorization = |text: &str| vec![("authorization", text.to_owned())];
    vec![
        vec![],
        vec![(KEY, ada.key_id.clone())],
        vec![(SECRET, ada.secret.clone())],
        pair(&ada.key_id, "wrong"),
        pair(&ada.key_id, &bob.secret),
        pair(&ada.key_id, ""),
        pair(&revoked.key_id, &revoked.secret),
        pair("DKAAAAAAAAAAAAAAAAAA", &ada.secret),
        pair(&ada.key_id.to_lowercase(), &ada.secret),
        pair("' or true --", &ada.secret),
        authorization("Basic REtBQUFBQUFBQUFBQUFBQUFBQUE6eA=="),
        authorization("Basic nonsense"),
        authorization("Bearer DKAAAAAAAAAAAAAAAAAA"),
    ]
}

const KEY: &str = "apca-api-key-id";
const SECRET: &str = "apca-api-secret-key";

async fn revoke(house: &House, who: &Customer) {
    let key = identity::KeyId::parse(&who.key_id).unwrap();
    let mut conn = house.pool().acquire().await.unwrap();
    identity::revoke_key(&mut conn, &key, testkit::start_of_time())
        .await
        .unwrap();
}

/// A door that believes each request about its address, so that none finds a bucket another one has taken from.
async fn house() -> House {
    House::with(Config {
        limits: LimitSettings {
            trusted_proxies: vec!["0.0.0.0/32".parse().unwrap()],
            ..LimitSettings::default()
        },
        ..Config::default()
    })
    .await
}

/// All that is heard.
async fn heard(house: &House, line: &Line, shown: &[(&str, String)], from: usize) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = Request::builder()
        .method(line.method.clone())
        .uri(line.path(&Ids::nobodys()))
        .header("x-request-id", "the-same-for-all")
        .header("x-forwarded-for", format!("10.0.{}.{}", from / 256, from % 256));
    for (name, value) in shown {
        request = request.header(*name, value);
    }
    let request = request.body(line.body(&Ids::nobodys())).unwrap();
    let (parts, body) = house.router.clone().oneshot(request).await.unwrap().into_parts();
    (
        parts.status,
        parts.headers,
        to_bytes(body, usize::MAX).await.unwrap().to_vec(),
    )
}

#[tokio::test]
async fn whoever_is_not_known_hears_the_same_on_every_route() {
    let house = house().await;
    let (lines, ways) = (matrix(), unknown(&house).await);
    let first = heard(&house, &lines[0], &ways[0], 0).await;
    let body = json!({"code": 40110000, "message": "request is not authorized"});
    assert_eq!(
        (first.0, serde_json::from_slice(&first.2).ok()),
        (StatusCode::UNAUTHORIZED, Some(body))
    );
    let mut from = 0;
    for line in &lines {
        // Who says later who it is may open a stream without a key, and not with a wrong one.
        let may_be_nobody = |way: &Vec<(&str, String)>| line.heard == Heard::Stream && way.len() < 2;
        for way in ways.iter().filter(|way| !may_be_nobody(way)) {
            from += 1;
            let this = heard(&house, line, way, from).await;
            let what = format!("{} {} {way:?}", line.method, line.route);
            if line.heard == Heard::Open {
                assert_eq!(this.0, StatusCode::OK, "{what}");
            } else {
                assert_eq!(this, first, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn whoever_is_not_known_hears_the_same_on_a_stream() {
    let street = Street::open().await;
    let (ada, bob, revoked) = (
        street.house.customer(0).await,
        street.house.customer(0).await,
        street.house.customer(0).await,
    );
    revoke(&street.house, &revoked).await;
    for (key_id, secret) in [
        ("DKAAAAAAAAAAAAAAAAAA", ada.secret.as_str()),
        (ada.key_id.as_str(), "wrong"),
        (ada.key_id.as_str(), bob.secret.as_str()),
        (revoked.key_id.as_str(), revoked.secret.as_str()),
        ("", ""),
    ] {
        for frame in [
            json!({"action": "authenticate", "data": {"key_id": key_id, "secret_key": secret}}),
            json!({"action": "auth", "key": key_id, "secret": secret}),
        ] {
            let mut socket = street.socket().await;
            socket.send(Message::text(frame.to_string())).await;
            assert_eq!(
                socket.hear().await,
                authorization("unauthorized", "authenticate"),
                "{frame}"
            );
            assert_eq!(
                socket.hear_the_end().await,
                (1008, "not authorized".to_owned()),
                "{frame}"
            );
        }
    }
}
