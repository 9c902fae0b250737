//! The matrix: each route, with requests to it that name something of another account.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Method;
use serde_json::Value;

use crate::house::{Answer, Customer, House, request};
use crate::promised;

/// What somebody hears who names what is not theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// This error, to the letter the one about something that nobody has.
    Refused(u16),
    /// A list without anything, under this status.
    Empty(u16),
    /// Something of their own: their account, an order that they place.
    Own,
    /// What every customer hears.
    TheSame,
    /// What everybody hears, known or not.
    Open,
    /// A stream; it is tried by itself.
    Stream,
}

/// One line of the matrix. `{…}` in the rest and the body stands for an id, by the name it has in [`Ids`].
pub struct Line {
    pub method: Method,
    pub route: &'static str,
    /// The path where the route has parameters, else the query.
    rest: &'static str,
    body: Option<&'static str>,
    pub heard: Heard,
}

/// Something of one account, or of nobody.
pub struct Ids([(&'static str, String); 6]);

impl Ids {
    /// Of a customer with shares of MSFT, a deposit and these orders.
    pub fn of(placed: &Value, activity: &str) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Ids([
            ("{order}", text(&placed["id"])),
            ("{name}", text(&placed["client_order_id"])),
            ("{symbol}", "MSFT".to_owned()),
            ("{asset}", "00000000-0000-0000-0000-000000000002".to_owned()),
            ("{activity}", activity.to_owned()),
            ("{event}", "00000000000000000001".to_owned()),
        ])
    }

    /// As well formed, and nobody's.
    pub fn nobodys() -> Self {
        let order = "11111111-2222-4333-8444-555555555555";
        Ids([
            ("{order}", order.to_owned()),
            ("{name}", "nobody called it so".to_owned()),
            ("{symbol}", "AAPL".to_owned()),
            ("{asset}", "00000000-0000-0000-0000-000000000001".to_owned()),
            ("{activity}", format!("20261123143000000::{order}")),
            ("{event}", "00000000000000000002".to_owned()),
        ])
    }

    /// The order's id.
    pub fn order(&self) -> &str {
        &self.0[0].1
    }

    fn fill_in(&self, text: &str) -> String {
        let put = |text: String, (place, id): &(&str, String)| text.replace(place, id);
        self.0.iter().fold(text.to_owned(), put)
    }

    /// The text, with the names of the ids instead of the ids.
    pub fn take_out(&self, text: &str) -> String {
        let take = |text: String, (place, id): &(&str, String)| text.replace(id, place);
        self.0.iter().fold(text.to_owned(), take)
    }
}

impl Line {
    fn with(self, body: &'static str) -> Self {
        let body = Some(body);
        Line { body, ..self }
    }

    /// The path with these ids.
    pub fn path(&self, ids: &Ids) -> String {
        let route = if self.rest.starts_with('/') { "" } else { self.route };
        ids.fill_in(&format!("{route}{}", self.rest)).replace(' ', "%20")
    }

    /// The body with these ids.
    pub fn body(&self, ids: &Ids) -> Body {
        self.body.map_or(Body::empty(), |body| Body::from(ids.fill_in(body)))
    }

    /// Asks it with these ids.
    pub async fn ask(&self, house: &House, who: &Customer, ids: &Ids) -> Answer {
        let asked = request(who, self.method.clone(), &self.path(ids));
        house.send(asked.body(self.body(ids)).unwrap()).await
    }
}

const PLACE: &str = r#"{"symbol":"AAPL","qty":"1","side":"buy","type":"limit","time_in_force":"day","limit_price":"10",
                        "client_order_id":"{name}"}"#;

/// All of them.
pub fn matrix() -> Vec<Line> {
    use Heard::{Empty, Open, Own, Refused, Stream, TheSame};
    let get = |route, rest, heard| line(Method::GET, route, rest, heard);
    let delete = |route, rest, heard| line(Method::DELETE, route, rest, heard);
    let (order, position) = ("/v2/orders/{order_id}", "/v2/positions/{symbol_or_asset_id}");
    let (activities, of_type) = ("/v2/account/activities", "/v2/account/activities/{activity_type}");
    vec![
        get("/v2/orders", "?status=all&symbols={symbol}", Empty(200)),
        get("/v2/orders", "?status=all&after_order_id={order}", Refused(422)),
        get("/v2/orders", "?status=all&before_order_id={order}", Refused(422)),
        line(Method::POST, "/v2/orders", "", Own).with(PLACE),
        delete("/v2/orders", "", Empty(207)),
        get(order, "/v2/orders/{order}", Refused(404)),
        delete(order, "/v2/orders/{order}", Refused(404)),
        line(Method::PATCH, order, "/v2/orders/{order}", Refused(404)).with(r#"{"qty":"2","limit_price":"9"}"#),
        get("/v2/orders:by_client_order_id", "?client_order_id={name}", Refused(404)),
        get("/v2/account", "", Own),
        get(activities, "", Empty(200)),
        get(activities, "?page_token={activity}", Empty(200)),
        get(of_type, "/v2/account/activities/CSD", Empty(200)),
        get(of_type, "/v2/account/activities/CSD?page_token={activity}", Empty(200)),
        get("/v2/account/configurations", "", Own),
        line(Method::PATCH, "/v2/account/configurations", "", Own).with(r#"{"suspend_trade":true}"#),
        get("/v2/account/portfolio/history", "?period=1W&timeframe=1D", Own),
        get("/v2/positions", "", Empty(200)),
        delete("/v2/positions", "?cancel_orders=true", Empty(207)),
        get(position, "/v2/positions/{symbol}", Refused(404)),
        get(position, "/v2/positions/{asset}", Refused(404)),
        delete(position, "/v2/positions/{symbol}", Refused(404)),
        delete(position, "/v2/positions/{asset}?qty=1", Refused(404)),
        get("/v2/assets", "", TheSame),
        get("/v2/assets/{symbol_or_asset_id}", "/v2/assets/{symbol}", TheSame),
        get("/v2/clock", "", TheSame),
        get("/v2/calendar", "?start=2026-11-23&end=2026-11-27", TheSame),
        get("/v2/events/trades", "?since_id={event}", Refused(422)),
        get("/stream", "", Stream),
        get("/openapi.json", "", Open),
    ]
}

const fn line(method: Method, route: &'static str, rest: &'static str, heard: Heard) -> Line {
    Line {
        method,
        route,
        rest,
        body: None,
        heard,
    }
}

#[test]
fn every_route_of_the_document_has_a_line_and_each_line_a_route() {
    let methods = |(route, item): (&String, &Value)| {
        let operations = item.as_object().unwrap().keys();
        operations
            .map(|method| format!("{} {route}", method.to_uppercase()))
            .collect::<Vec<_>>()
    };
    let described: BTreeSet<String> = promised::paths().flat_map(methods).collect();
    let lines: BTreeSet<String> = matrix()
        .iter()
        .map(|line| format!("{} {}", line.method, line.route))
        .collect();
    assert_eq!(lines, described);
}
