//! The OpenAPI document: what is served is in it, and it is whole.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, Method, Request, StatusCode};

use crate::house::House;
use crate::promised::{DOCUMENT, paths};

/// What is served and not described: the page that shows the document.
const PAGE: [&str; 3] = ["/docs", "/docs/", "/docs/{*rest}"];

async fn bare(house: &House, method: Method, path: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(house.router.clone(), request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn every_route_is_in_the_document_with_its_methods_and_nothing_else_is() {
    let house = House::open().await;
    // The router tells its paths nowhere else.
    let router = format!("{:?}", house.router);
    let (_, listed) = router.split_once("paths: {").unwrap();
    let listed = listed
        .split('}')
        .take_while(|part| part.contains('"'))
        .collect::<Vec<_>>()
        .join("}");
    let routes: BTreeSet<&str> = listed.split('"').filter(|part| part.starts_with('/')).collect();
    let described: BTreeSet<&str> = paths().map(|(path, _)| path.as_str()).chain(PAGE).collect();
    assert_eq!(routes, described);

    for (template, item) in paths() {
        let path = template.replace(['{', '}'], "");
        let (status, headers, body) = bare(&house, Method::OPTIONS, &path).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{path}: {body}");
        let allowed: BTreeSet<String> = headers[ALLOW]
            .to_str()
            .unwrap()
            .split(',')
            .map(str::to_lowercase)
            .collect();
        let mut methods: BTreeSet<String> = item.as_object().unwrap().keys().cloned().collect();
        if methods.contains("get") {
            methods.insert("head".to_owned());
        }
        assert_eq!(allowed, methods, "{path}");
    }
}

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let committed = include_str!("../../../../docs/openapi.json");
    assert!(
        committed == order_manager::openapi(),
        "write it again: cargo run -p daybook -- openapi > docs/openapi.json"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    let text = order_manager::openapi();
    let references: BTreeSet<&str> = text
        .split(r##""$ref": "#"##)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(references.len() > 50, "{references:?}");
    for there in references {
        assert!(DOCUMENT.pointer(there).is_some(), "{there}");
    }
}

#[test]
fn every_operation_says_who_may_call_it_and_what_it_refuses() {
    let mut names = BTreeSet::new();
    for (path, item) in paths() {
        for (method, operation) in item.as_object().unwrap() {
            let here = format!("{method} {path}");
            assert!(
                names.insert(operation["operationId"].as_str().unwrap()),
                "{here}: its name is another's"
            );
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{here}");
            let answers = operation["responses"].as_object().unwrap();
            for status in ["405", "429"] {
                assert!(answers.contains_key(status), "{here}: {:?}", answers.keys());
            }
            for status in ["401", "500", "503"] {
                assert_eq!(
                    answers.contains_key(status),
                    path != "/openapi.json",
                    "{here}: {status}"
                );
            }
            let declared = operation["parameters"].as_array().into_iter().flatten();
            let in_path = declared
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| &parameter["name"]);
            assert_eq!(in_path.count(), path.matches('{').count(), "{here}");
        }
    }
}

#[tokio::test]
async fn the_document_and_its_page_are_for_everybody_and_need_no_other_server() {
    let house = House::open().await;
    let (status, headers, body) = bare(&house, Method::GET, "/openapi.json").await;
    assert_eq!(
        (status, headers["content-type"].to_str().unwrap()),
        (StatusCode::OK, "application/json")
    );
    assert_eq!(body, order_manager::openapi());

    let (status, _, page) = bare(&house, Method::GET, "/docs/").await;
    assert_eq!(status, StatusCode::OK);
    let loaded: Vec<&str> = page
        .split(['"', '\''])
        .filter(|part| part.ends_with(".js") || part.ends_with(".css"))
        .collect();
    assert!(loaded.len() >= 3, "{page}");
    for asset in loaded {
        assert!(!asset.contains("//"), "{asset} is elsewhere");
        let (status, ..) = bare(
            &house,
            Method::GET,
            &format!("/docs/{}", asset.trim_start_matches("./")),
        )
        .await;
        assert_eq!(status, StatusCode::OK, "{asset}");
    }
    let (_, _, settings) = bare(&house, Method::GET, "/docs/swagger-initializer.js").await;
    assert!(
        settings.contains("/openapi.json") && settings.contains(r#""validatorUrl": "none""#),
        "{settings}"
    );
}

/// What is empty is absent, as the document says of every parameter of a query that may be absent.
#[tokio::test]
async fn a_parameter_that_may_be_absent_may_be_empty() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    let mut tried = 0;
    for (path, item) in paths().filter(|(path, _)| *path != "/v2/events/trades") {
        let path = path.replace("{activity_type}", "FILL");
        for parameter in item["get"]["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] != "query" || parameter["required"] == true {
                continue;
            }
            let name = parameter["name"].as_str().unwrap();
            let with = house.get(&ada, &format!("{path}?{name}=")).await;
            let without = house.get(&ada, &path).await;
            assert_eq!(
                (with.status, with.body),
                (without.status, without.body),
                "{path} {name}"
            );
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}
