//! What shares cost, where sales are taken back (LED-16, LED-17).

use crate::shop::{Shop, customer, day};
use domain::Side;

#[tokio::test]
async fn led_16_the_bust_of_a_sale_gives_back_what_it_took_of_the_cost_also_where_it_sold_everything() {
    let mut shop = Shop::open(1, 5_000).await;
    let (date, account) = (day("2026-09-15"), customer(0));
    // With the thousand that cost nothing: half a dollar a share.
    shop.trade(account, Side::Buy, "1000", "1.00", date).await;
    let everything = shop.trade(account, Side::Sell, "2000", "3.00", date).await;
    assert_eq!(shop.basis(account).await, "0");
    shop.bust(&mut *shop.conn().await, everything).await;
    assert_eq!(shop.basis(account).await, "1000", "not the 6000 that the sale brought");
    let some = shop.trade(account, Side::Sell, "500", "3.00", date).await;
    assert_eq!(shop.basis(account).await, "750");
    shop.trade(account, Side::Buy, "100", "10.00", date).await;
    shop.bust(&mut *shop.conn().await, some).await;
    assert_eq!(
        shop.basis(account).await,
        "2000",
        "whatever was bought at another price since"
    );
    shop.prove().await;
}
