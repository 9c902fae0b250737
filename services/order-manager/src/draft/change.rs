//! What a replace asks to be different.

use domain::{ClientOrderId, Price, Qty, TimeInForce};
use wire::rest::ReplaceOrder;

use super::{fields, words};
use crate::error::PlaceOrderError;

/// What a replace changes; what is not there stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// Shares in all, those that are filled included.
    pub qty: Option<Qty>,
    /// Dollars a share, on the tick (PX-1).
    pub limit_price: Option<Price>,
    /// How long it works.
    pub time_in_force: Option<TimeInForce>,
    /// The caller's own name for the new order; absent means that one is given to it.
    pub client_order_id: Option<ClientOrderId>,
}

impl TryFrom<&ReplaceOrder> for Change {
    type Error = PlaceOrderError;

    fn try_from(body: &ReplaceOrder) -> Result<Self, PlaceOrderError> {
        for (field, value) in [("stop_price", &body.stop_price), ("trail", &body.trail)] {
            if fields::price(field, value.as_ref())?.is_some() {
                return Err(PlaceOrderError::StopFieldOnLimit(field));
            }
        }
        let change = Change {
            qty: fields::shares(body.qty.as_ref())?,
            limit_price: fields::price("limit_price", body.limit_price.as_ref())?,
            time_in_force: words::rests(body.time_in_force.as_ref())?,
            client_order_id: fields::client_order_id(body.client_order_id.as_ref())?,
        };
        match change.limit_price {
            Some(price) if !price.on_tick() => Err(PlaceOrderError::SubPenny(price)),
            _ => Ok(change),
        }
    }
}

#[cfg(test)]
mod tests {
    //! Bodies as clients send them.
    use super::*;

    fn change(body: &str) -> Result<Change, String> {
        let body: ReplaceOrder = serde_json::from_str(body).map_err(|error| error.to_string())?;
        Change::try_from(&body).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn absent_null_and_empty_mean_unchanged() {
        for body in [
            "{}",
            r#"{"qty":null,"limit_price":""}"#,
            r#"{"client_order_id":"","trail":null}"#,
        ] {
            assert_eq!(change(body), Ok(Change::default()), "{body}");
        }
    }

    #[test]
    fn numbers_come_with_quotes_and_without() {
        for body in [
            r#"{"qty":12,"limit_price":"9.5"}"#,
            r#"{"qty":"12","limit_price":9.50}"#,
        ] {
            let change = change(body).expect("a change");
            let shown = (
                change.qty.map(|q| q.to_string()),
                change.limit_price.map(|p| p.to_string()),
            );
            assert_eq!(shown, (Some("12".to_owned()), Some("9.5".to_owned())), "{body}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_field() {
        for (body, refusal) in [
            (r#"{"qty":0}"#, "qty must be > 0"),
            (
                r#"{"qty":"1.5"}"#,
                "a fractional qty of a replacement is not offered yet: send whole shares",
            ),
            (r#"{"qty":[1]}"#, "qty must be a number, or a number in quotes"),
            (r#"{"stop_price":"1"}"#, "stop_price is only for stop orders"),
            (r#"{"trail":1}"#, "trail is only for stop orders"),
            (
                r#"{"time_in_force":"soon"}"#,
                "invalid time_in_force: use day, gtc, ioc or fok",
            ),
            (
                r#"{"time_in_force":"ioc"}"#,
                "time_in_force ioc of a replacement is not offered yet: use day or gtc",
            ),
        ] {
            assert_eq!(change(body), Err(refusal.to_owned()), "{body}");
        }
        assert!(change(r#"{"limit_price":"9.123"}"#).is_err_and(|refusal| refusal.contains("sub-penny")));
    }
}
