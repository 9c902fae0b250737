//! Orders: one by either id, and lists with keyset paging.

use chassis::http::ApiError;
use domain::{AccountId, ClientOrderId, OrderId, Side, Symbol, Timestamp};
use orders::StoredOrder;
use orders::read::{self, Direction, ListFilter, ListStatus};
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::IntoParams;
use wire::rest::schema;

use super::{choice, flag, given, moment, number, parse_uuid, words};
use crate::error::ReadError;
use crate::http::database_error;
use crate::present::US_EQUITY;

/// The query of `GET /v2/orders`, as sent.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct OrdersQuery {
    /// Open ones (the default), closed ones, or all.
    #[param(value_type = Option<schema::ListStatus>, inline)]
    status: Option<String>,
    /// The most orders; 50 unless asked otherwise.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 500)]
    limit: Option<String>,
    /// Only orders submitted later.
    #[param(value_type = Option<schema::Moment>, inline)]
    after: Option<String>,
    /// Only orders submitted earlier.
    #[param(value_type = Option<schema::Moment>, inline)]
    until: Option<String>,
    /// The newest first (the default), or the oldest.
    #[param(value_type = Option<schema::Direction>, inline)]
    direction: Option<String>,
    /// No effect: there are no compound orders.
    #[param(value_type = Option<bool>)]
    nested: Option<String>,
    /// Tickers, separated by commas.
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false)]
    symbols: Option<String>,
    /// Only buys, or only sells.
    #[param(value_type = Option<schema::Side>, inline)]
    side: Option<String>,
    /// Classes of assets; may be given more than once.
    #[param(value_type = Option<Vec<schema::AssetClasses>>, inline)]
    asset_class: Vec<String>,
    /// Only orders submitted before this one.
    #[param(value_type = Option<schema::Id>, inline)]
    before_order_id: Option<String>,
    /// Only orders submitted after this one.
    #[param(value_type = Option<schema::Id>, inline)]
    after_order_id: Option<String>,
}

/// One order of the account.
pub(crate) async fn by_id(conn: &mut PgConnection, account: AccountId, id: &str) -> Result<StoredOrder, ApiError> {
    let not_found = || ReadError::OrderNotFound(id.to_owned());
    let order = OrderId::new(parse_uuid(id).ok_or_else(not_found)?);
    read::by_id(conn, account, order)
        .await
        .map_err(database_error)?
        .ok_or_else(|| not_found().into())
}

/// One order by the caller's own name for it.
pub(crate) async fn by_client_id(
    conn: &mut PgConnection,
    account: AccountId,
    name: &str,
) -> Result<StoredOrder, ApiError> {
    let not_found = || ReadError::OrderNotFound(name.to_owned());
    let name = ClientOrderId::new(name).map_err(|_| not_found())?;
    read::by_client_id(conn, account, &name)
        .await
        .map_err(database_error)?
        .ok_or_else(|| not_found().into())
}

/// All orders of the account that may still trade.
pub(crate) async fn open_ids(conn: &mut PgConnection, account: AccountId) -> Result<Vec<OrderId>, ApiError> {
    read::open_of_account(conn, account).await.map_err(database_error)
}

/// A page of the account's orders.
pub(crate) async fn list(
    conn: &mut PgConnection,
    account: AccountId,
    query: &OrdersQuery,
) -> Result<Vec<StoredOrder>, ApiError> {
    let mut filter = query.filter(account)?;
    let may_match = query.may_match(&filter)?;
    if let Some(at) = place_of(conn, account, "before_order_id", query.before_order_id.as_ref()).await? {
        filter.until = Some(filter.until.map_or(at, |until| until.min(at)));
    }
    if let Some(at) = place_of(conn, account, "after_order_id", query.after_order_id.as_ref()).await? {
        filter.after = Some(filter.after.map_or(at, |after| after.max(at)));
    }
    // Last: what is malformed is told so beside a filter that leaves nothing, too.
    if !may_match {
        return Ok(vec![]);
    }
    read::list(conn, &filter).await.map_err(database_error)
}

/// When the order that a page borders on was accepted: a cursor that no other order of the account shares.
async fn place_of(
    conn: &mut PgConnection,
    account: AccountId,
    field: &'static str,
    value: Option<&String>,
) -> Result<Option<Timestamp>, ApiError> {
    let Some(id) = given(value) else { return Ok(None) };
    let unknown = || ReadError::NoPlace(field);
    let order = OrderId::new(parse_uuid(id).ok_or_else(unknown)?);
    let order = read::by_id(conn, account, order)
        .await
        .map_err(database_error)?
        .ok_or_else(unknown)?;
    Ok(Some(order.submitted_at))
}

impl OrdersQuery {
    fn filter(&self, account: AccountId) -> Result<ListFilter, ApiError> {
        flag("nested", self.nested.as_ref())?;
        let statuses = [
            ("open", ListStatus::Open),
            ("closed", ListStatus::Closed),
            ("all", ListStatus::All),
        ];
        let directions = [("desc", Direction::Desc), ("asc", Direction::Asc)];
        let sides = [("buy", Side::Buy), ("sell", Side::Sell)];
        Ok(ListFilter {
            account,
            status: choice("status", self.status.as_ref(), &statuses)?.unwrap_or_default(),
            limit: number("limit", self.limit.as_ref(), 1, 500)?.unwrap_or(50),
            after: moment("after", self.after.as_ref())?,
            until: moment("until", self.until.as_ref())?,
            direction: choice("direction", self.direction.as_ref(), &directions)?.unwrap_or_default(),
            symbols: words(self.symbols.as_ref())
                .into_iter()
                .filter_map(Symbol::parse)
                .collect(),
            side: choice("side", self.side.as_ref(), &sides)?,
        })
    }

    /// Whether the filters leave anything: symbols that are none, and classes that are not traded here, match nothing.
    fn may_match(&self, filter: &ListFilter) -> Result<bool, ApiError> {
        let classes: Vec<&str> = self.asset_class.iter().flat_map(|one| words(Some(one))).collect();
        let known = [US_EQUITY, "us_option", "crypto"];
        if classes.iter().any(|class| !known.contains(class)) {
            return Err(ReadError::UnknownWord {
                field: "asset_class",
                words: US_EQUITY.to_owned(),
            }
            .into());
        }
        let class_fits = classes.is_empty() || classes.contains(&US_EQUITY);
        let symbols_fit = given(self.symbols.as_ref()).is_none() || !filter.symbols.is_empty();
        Ok(class_fits && symbols_fit)
    }
}
