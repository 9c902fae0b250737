//! Closing positions: sells at the market of what there is, or of a part of it.
//!
//! A closing order is an order like any other: it goes through the same checks under the same lock, so shares that open
//! sells hold are not sold twice (QTY-4). With `cancel_orders` the orders that hold them are asked to end first, and their
//! end is waited for, but not for ever: a position whose shares are still held then is told so.
//!
//! A client that lost the answer may ask again, and some do so by themselves. What was asked for is therefore in the closing
//! order's name, `close-AAPL-5-0000000001`, with a number that grows: while that order is open, or has just traded, the same
//! wish is answered with it, and of two that come at once the second finds the name taken, under the account's lock.

use std::time::Duration;

use chassis::http::ApiError;
use chrono::TimeDelta;
use domain::{AccountId, ClientOrderId, OrderId, Qty, RequestId, Side, Symbol, TimeInForce, Timestamp};
use futures::{StreamExt, stream};
use ledger::ShareBalance;
use orders::{StoredOrder, read};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Deserialize;
use utoipa::IntoParams;
use wire::rest::schema;

use crate::app::App;
use crate::draft::{DraftOrder, Size};
use crate::error::{CloseError, PlaceOrderError};
use crate::http::database_error;
use crate::place::Asked;
use crate::query::{find_asset, given};

/// How often the end of canceled orders is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a closing order that has traded answers the same wish again: what SDKs take to ask again.
const SAME_WISH: TimeDelta = TimeDelta::seconds(10);
/// Closing orders of one request that are decided at a time.
const AT_ONCE: usize = 32;

/// The query of `DELETE /v2/positions/{symbol_or_asset_id}`, as sent.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct CloseQuery {
    /// So many shares.
    #[param(value_type = Option<schema::Shares>, inline)]
    qty: Option<String>,
    /// So many hundredths of it, instead of `qty`.
    #[param(value_type = Option<schema::Shares>, inline)]
    percentage: Option<String>,
}

/// How much of a position is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    All,
    /// So many shares.
    Shares(Qty),
    /// So many hundredths of it.
    Percent(Decimal),
}

impl CloseQuery {
    /// What is asked for.
    pub(crate) fn part(&self) -> Result<Part, CloseError> {
        let bad = |field| move |why| CloseError::BadAmount { field, why };
        match (given(self.qty.as_ref()), given(self.percentage.as_ref())) {
            (None, None) => Ok(Part::All),
            (Some(_), Some(_)) => Err(CloseError::QtyAndPercentage),
            (Some(qty), None) => Qty::parse(qty).map(Part::Shares).map_err(bad("qty")),
            (None, Some(percent)) => {
                let percent = Qty::parse(percent).map_err(bad("percentage"))?.get();
                if percent > Decimal::ONE_HUNDRED {
                    return Err(CloseError::PercentageTooLarge);
                }
                Ok(Part::Percent(percent))
            }
        }
    }
}

impl Part {
    /// Shares of a position of so many. A percentage rounds down, to whole shares unless the position has parts of one.
    fn of(self, owned: Decimal) -> Result<Qty, CloseError> {
        let shares = match self {
            Part::All => owned,
            Part::Shares(qty) => return Ok(qty),
            Part::Percent(percent) => {
                let digits = if owned.fract().is_zero() { 0 } else { 9 };
                let exact = owned.checked_mul(percent / Decimal::ONE_HUNDRED).unwrap_or(owned);
                exact.round_dp_with_strategy(digits, RoundingStrategy::ToZero)
            }
        };
        Qty::new(shares)
            .ok()
            .filter(|qty| !qty.is_zero())
            .ok_or(CloseError::NothingToClose)
    }

    /// What the names of the closing orders of this wish begin with.
    fn wish(self, symbol: &Symbol) -> String {
        match self {
            Part::All => format!("close-{symbol}-all-"),
            Part::Shares(qty) => format!("close-{symbol}-{}-", qty.get().normalize()),
            Part::Percent(percent) => format!("close-{symbol}-{}%-", percent.normalize()),
        }
    }

    /// Whether this order is still the answer to the wish that made it, for a position of so many shares.
    fn is_met_by(self, order: &StoredOrder, owned: Decimal, now: Timestamp) -> bool {
        let stands = if order.state.status.is_open() {
            order.cancel_requested_at.is_none()
        } else {
            !order.state.filled.is_zero() && now - order.submitted_at <= SAME_WISH
        };
        // All is what there is now: more by what was bought since, or nothing, and then nobody can sell it twice.
        let is_all = !owned.is_zero() && order.state.leaves().get() == owned;
        stands && (self != Part::All || is_all)
    }
}

impl App {
    /// Closes a position, or a part of it.
    pub(crate) async fn close(
        &self,
        account: AccountId,
        text: &str,
        part: Part,
        request: RequestId,
    ) -> Result<StoredOrder, ApiError> {
        let asset = find_asset(&self.deps().instruments, text)
            .ok_or_else(|| CloseError::AssetNotFound(text.chars().take(40).collect()))?;
        let owned = self.owned(account).await?;
        let shares = owned.iter().find(|shares| shares.symbol == asset.symbol);
        let owned = shares.map_or(Decimal::ZERO, ShareBalance::total);
        self.close_part(account, (&asset.symbol, owned), part, request).await
    }

    /// Closes all positions; one outcome each.
    pub(crate) async fn close_all(
        &self,
        account: AccountId,
        cancel_orders: bool,
        request: RequestId,
    ) -> Result<Vec<(Symbol, Result<StoredOrder, ApiError>)>, ApiError> {
        if cancel_orders {
            self.end_orders(account, request.clone()).await?;
        }
        let sells = stream::iter(self.owned(account).await?).map(|shares| {
            let request = request.clone();
            async move {
                let position = (&shares.symbol, shares.total());
                let outcome = self.close_part(account, position, Part::All, request).await;
                (shares.symbol, outcome)
            }
        });
        Ok(sells.buffered(AT_ONCE).collect().await)
    }

    async fn owned(&self, account: AccountId) -> Result<Vec<ShareBalance>, ApiError> {
        let mut conn = self.connection().await?;
        ledger::positions(&mut conn, account).await.map_err(database_error)
    }

    /// Sells this part of a position of so many shares, unless an order that does so is there.
    async fn close_part(
        &self,
        account: AccountId,
        (symbol, owned): (&Symbol, Decimal),
        part: Part,
        request: RequestId,
    ) -> Result<StoredOrder, ApiError> {
        let wish = part.wish(symbol);
        let number = self.last_of(account, &wish).await?;
        let before = self.named(account, &name_of(&wish, number)?).await?;
        let now = self.deps().clock.now();
        if let Some(order) = before.filter(|order| part.is_met_by(order, owned, now)) {
            return Ok(order);
        }
        if owned.is_zero() {
            return Err(CloseError::NoPosition.into());
        }
        let name = name_of(&wish, number + 1)?;
        let sell = sell(symbol, part.of(owned)?, name.clone());
        match self.place_draft(account, sell, request).await {
            // The same wish was faster.
            Err(taken @ PlaceOrderError::DuplicateClientOrderId) => {
                self.named(account, &name).await?.ok_or_else(|| taken.into())
            }
            reply => Ok(reply?),
        }
    }

    /// Which number the last order of a wish has; 0: there was none.
    async fn last_of(&self, account: AccountId, wish: &str) -> Result<u64, ApiError> {
        let mut conn = self.connection().await?;
        let name = read::last_name(&mut conn, account, wish)
            .await
            .map_err(database_error)?;
        let number = name.as_deref().and_then(|name| name.strip_prefix(wish)?.parse().ok());
        Ok(number.unwrap_or(0))
    }

    async fn named(&self, account: AccountId, name: &ClientOrderId) -> Result<Option<StoredOrder>, ApiError> {
        let mut conn = self.connection().await?;
        read::by_client_id(&mut conn, account, name)
            .await
            .map_err(database_error)
    }

    /// Asks for the end of everything that is open, and waits for it as long as is reasonable for a request. An order that
    /// does not end by then keeps what it holds.
    async fn end_orders(&self, account: AccountId, request: RequestId) -> Result<(), ApiError> {
        let open = crate::query::open_ids(&mut *self.connection().await?, account).await?;
        if open.is_empty() {
            return Ok(());
        }
        self.cancel_many(account, open.clone(), request).await?;
        tokio::time::timeout(self.close_wait(), self.all_over(account, &open))
            .await
            .unwrap_or(Ok(()))
    }

    async fn all_over(&self, account: AccountId, orders: &[OrderId]) -> Result<(), ApiError> {
        loop {
            let mut conn = self.connection().await?;
            let open = read::any_open(&mut conn, account, orders).await;
            drop(conn);
            if !open.map_err(database_error)? {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The n-th order of a wish.
fn name_of(wish: &str, n: u64) -> Result<ClientOrderId, PlaceOrderError> {
    ClientOrderId::new(&format!("{wish}{n:010}")).map_err(PlaceOrderError::BadClientOrderId)
}

fn sell(symbol: &Symbol, qty: Qty, name: ClientOrderId) -> DraftOrder {
    DraftOrder {
        instrument: symbol.to_string(),
        side: Side::Sell,
        time_in_force: TimeInForce::Day,
        asked: Asked::default(),
        size: Size::Shares(qty),
        limit_price: None,
        client_order_id: Some(name),
    }
}

#[cfg(test)]
mod tests {
    //! How much of a position is meant.

    use super::*;
    use rstest::rstest;

    fn part(qty: &str, percentage: &str) -> Result<Part, CloseError> {
        CloseQuery {
            qty: Some(qty.to_owned()),
            percentage: Some(percentage.to_owned()),
        }
        .part()
    }

    #[rstest]
    #[case::all("", "", "10.5", "10.5")]
    #[case::shares("0.25", "", "10.5", "0.25")]
    #[case::more_than_there_are("12", "", "10", "12")]
    #[case::half("", "50", "10", "5")]
    #[case::whole_shares_stay_whole("", "33.333333333", "10", "3")]
    #[case::parts_of_parts("", "50", "0.000000003", "0.000000001")]
    #[case::everything("", "100", "7", "7")]
    fn a_part_of_a_position_is_rounded_down(
        #[case] qty: &str,
        #[case] percentage: &str,
        #[case] owned: &str,
        #[case] sold: &str,
    ) {
        let owned = Decimal::from_str_exact(owned).expect("a number");
        let shares = part(qty, percentage).and_then(|part| part.of(owned));
        assert_eq!(shares.map(|qty| qty.to_string()), Ok(sold.to_owned()));
    }

    #[rstest]
    #[case("1", "50", "only one of qty or percentage is accepted")]
    #[case("0", "", "qty must be > 0")]
    #[case("", "0", "percentage must be > 0")]
    #[case("", "100.1", "percentage must be <= 100")]
    #[case(
        "",
        "half",
        "percentage is not a decimal number: write it in plain digits, like 12.34"
    )]
    #[case("", "0.1", "the part is less than one share: send a larger one")]
    fn what_is_no_part_is_told_what_to_change(#[case] qty: &str, #[case] percentage: &str, #[case] message: &str) {
        let shares = part(qty, percentage).and_then(|part| part.of(Decimal::TEN));
        assert_eq!(shares.map_err(|refusal| refusal.to_string()), Err(message.to_owned()));
    }
}
