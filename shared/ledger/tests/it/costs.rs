//! What shares cost, where sales are taken back (LED-16, LED-17).

use crate::shop::{Shop, customer, day};
use domain::Side;
use rust_decimal::Decimal;

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

/// LED-17: the shares that were sold took along what they were said to have cost; the rest bears the difference.
#[tokio::test]
async fn led_17_the_correction_of_a_buy_mostly_sold_changes_the_basis_by_what_it_corrects() {
    for (less, price, basis) in [
        ("0", "99", "90"),
        ("0", "80", "0"),
        ("5", "100", "0"),
        ("0", "100", "100"),
    ] {
        let mut shop = Shop::open(1, 5_000).await;
        let (date, account) = (day("2026-09-15"), customer(0));
        // The thousand that cost nothing go first.
        shop.trade(account, Side::Sell, "1000", "1.00", date).await;
        let mut buy = shop.trade(account, Side::Buy, "10", "100.00", date).await;
        shop.trade(account, Side::Sell, "9", "100.00", date).await;
        assert_eq!(shop.basis(account).await, "100");
        let [less, to] = [less, price].map(|text| Decimal::from_str_exact(text).expect("a number"));
        shop.correct(&mut *shop.conn().await, &mut buy, less, to).await;
        assert_eq!(shop.basis(account).await, basis, "{less} fewer at {price}");
        shop.prove().await;
    }
}

/// LED-17: what was bought since is not taken for what was corrected.
#[tokio::test]
async fn led_17_the_correction_of_a_buy_that_was_sold_leaves_what_was_bought_since() {
    let mut shop = Shop::open(1, 5_000).await;
    let (date, account) = (day("2026-09-15"), customer(0));
    shop.trade(account, Side::Sell, "1000", "1.00", date).await;
    let mut buy = shop.trade(account, Side::Buy, "10", "100.00", date).await;
    shop.trade(account, Side::Sell, "10", "100.00", date).await;
    shop.trade(account, Side::Buy, "10", "50.00", date).await;
    let conn = &mut *shop.conn().await;
    shop.correct(conn, &mut buy, Decimal::ZERO, Decimal::from(99)).await;
    assert_eq!(shop.basis(account).await, "490");
    shop.prove().await;
}
