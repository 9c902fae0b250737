//! Closing positions: sells at the market of what there is, or of a part of it.
//!
//! A closing order is an order like any other: it goes through the same checks under the same lock, so shares that open
//! sells hold are not sold twice (QTY-4). With `cancel_orders` the orders that hold them are asked to end first, and their
//! end is waited for, but not for ever: a position whose shares are still held then is told so.

use std::time::Duration;

use chassis::http::ApiError;
use domain::{AccountId, OrderId, Qty, RequestId, Side, Symbol, TimeInForce};
use futures::{StreamExt, stream};
use ledger::ShareBalance;
use orders::StoredOrder;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Deserialize;

use crate::app::App;
use crate::draft::{DraftOrder, Size};
use crate::error::{CloseError, PlaceOrderError};
use crate::http::database_error;
use crate::place::{Asked, Reply};
use crate::query::{find_asset, given};

/// How often the end of canceled orders is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Closing orders of one request that are decided at a time.
const AT_ONCE: usize = 32;

/// The query of `DELETE /v2/positions/{symbol_or_asset_id}`, as sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CloseQuery {
    qty: Option<String>,
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
        let qty = part.of(shares.ok_or(CloseError::NoPosition)?.total())?;
        Ok(self.sell(account, &asset.symbol, qty, request).await?)
    }

    /// Closes all positions; one outcome each.
    pub(crate) async fn close_all(
        &self,
        account: AccountId,
        cancel_orders: bool,
        request: RequestId,
    ) -> Result<Vec<(Symbol, Reply)>, ApiError> {
        if cancel_orders {
            self.end_orders(account, request.clone()).await?;
        }
        let sells = stream::iter(self.owned(account).await?).map(|shares| {
            let request = request.clone();
            async move {
                let reply = match Part::All.of(shares.total()) {
                    Ok(qty) => self.sell(account, &shares.symbol, qty, request).await,
                    Err(_) => Err(PlaceOrderError::Internal),
                };
                (shares.symbol, reply)
            }
        });
        Ok(sells.buffered(AT_ONCE).collect().await)
    }

    async fn owned(&self, account: AccountId) -> Result<Vec<ShareBalance>, ApiError> {
        let mut conn = self.connection().await?;
        ledger::positions(&mut conn, account).await.map_err(database_error)
    }

    async fn sell(&self, account: AccountId, symbol: &Symbol, qty: Qty, request: RequestId) -> Reply {
        let draft = DraftOrder {
            instrument: symbol.to_string(),
            side: Side::Sell,
            time_in_force: TimeInForce::Day,
            asked: Asked::default(),
            size: Size::Shares(qty),
            limit_price: None,
            client_order_id: None,
        };
        self.place_draft(account, draft, request).await
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
            let open = ::orders::read::any_open(&mut conn, account, orders).await;
            drop(conn);
            if !open.map_err(database_error)? {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
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
