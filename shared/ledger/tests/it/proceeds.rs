//! Proceeds that wait for settlement, where sales are late or taken back: what is unsettled is what has not settled (BP-8,
//! BP-10), whatever was taken back of sales that have.

use crate::shop::{Shop, customer, day};
use domain::{AccountId, Side};

const STRICT: u128 = 1;
const MARGIN: u128 = 0;

/// Free and unsettled dollars.
async fn purse(shop: &Shop, account: AccountId) -> (String, String) {
    let cash = shop.cash(account).await;
    (cash.avail.to_string(), cash.unsettled.to_string())
}

fn dollars(avail: &str, unsettled: &str) -> (String, String) {
    (avail.to_owned(), unsettled.to_owned())
}

#[tokio::test]
async fn bp_8_a_late_sale_waits_though_a_sale_of_its_day_that_settled_is_taken_back() {
    let mut shop = Shop::open(2, 1_000).await;
    let (date, settles, account) = (day("2026-09-15"), day("2026-09-16"), customer(STRICT));
    let sale = shop.trade(account, Side::Sell, "10", "50.00", date).await;
    shop.settle(settles).await;
    shop.bust(&mut *shop.conn().await, sale).await;
    shop.trade(account, Side::Sell, "4", "100.00", date).await;
    assert_eq!(purse(&shop, account).await, dollars("1000.00", "400.00"));
    shop.prove().await;
    shop.settle(settles).await;
    assert_eq!(purse(&shop, account).await, dollars("1400.00", "0.00"));
    shop.prove().await;
}

#[tokio::test]
async fn bp_8_a_sale_frees_its_own_proceeds_alone_though_a_settled_one_is_taken_back() {
    let mut shop = Shop::open(2, 1_000).await;
    let account = customer(STRICT);
    let settled = shop.trade(account, Side::Sell, "10", "50.00", day("2026-09-16")).await;
    shop.settle(day("2026-09-17")).await;
    shop.bust(&mut *shop.conn().await, settled).await;
    shop.trade(account, Side::Sell, "3", "100.00", day("2026-09-15")).await;
    shop.trade(account, Side::Sell, "6", "100.00", day("2026-09-17")).await;
    shop.settle(day("2026-09-16")).await;
    assert_eq!(purse(&shop, account).await, dollars("1300.00", "600.00"));
    shop.prove().await;
}

#[tokio::test]
async fn led_16_the_bust_of_a_settled_sale_takes_free_cash_and_unsettled_proceeds_only_for_the_rest() {
    let mut shop = Shop::open(2, 100).await;
    let (date, account) = (day("2026-09-15"), customer(STRICT));
    let first = shop.trade(account, Side::Sell, "10", "50.00", date).await;
    let second = shop.trade(account, Side::Sell, "4", "100.00", date).await;
    shop.settle(day("2026-09-16")).await;
    shop.trade(account, Side::Sell, "5", "100.00", day("2026-09-16")).await;
    shop.bust(&mut *shop.conn().await, first).await;
    assert_eq!(purse(&shop, account).await, dollars("500.00", "500.00"));
    shop.trade(account, Side::Buy, "4", "75.00", day("2026-09-16")).await;
    shop.bust(&mut *shop.conn().await, second).await;
    assert_eq!(purse(&shop, account).await, dollars("0.00", "300.00"), "and no debit");
    shop.prove().await;
    shop.settle(day("2026-09-17")).await;
    assert_eq!(purse(&shop, account).await, dollars("300.00", "0.00"));
    shop.prove().await;
}

#[tokio::test]
async fn bp_8_a_sale_taken_back_frees_nothing_of_others_whichever_of_the_two_settles_first() {
    let mut shop = Shop::open(2, 0).await;
    let (date, account) = (day("2026-09-15"), customer(STRICT));
    // Batches are of three trades, so some of the pairs settle apart.
    for shares in ["1", "2", "3"] {
        let sale = shop.trade(account, Side::Sell, shares, "10.00", date).await;
        shop.bust(&mut *shop.conn().await, sale).await;
    }
    shop.trade(account, Side::Sell, "4", "100.00", day("2026-09-16")).await;
    shop.prove().await;
    assert_eq!(shop.settle(day("2026-09-16")).await, 6);
    assert_eq!(purse(&shop, account).await, dollars("0.00", "400.00"));
    shop.prove().await;
}

#[tokio::test]
async fn bp_10_a_late_sale_cannot_be_withdrawn_though_a_sale_of_its_day_that_settled_is_taken_back() {
    let mut shop = Shop::open(1, 1_000).await;
    let (date, account) = (day("2026-10-01"), customer(MARGIN));
    let sale = shop.trade(account, Side::Sell, "10", "50.00", date).await;
    shop.settle(day("2026-10-02")).await;
    shop.bust(&mut *shop.conn().await, sale).await;
    shop.trade(account, Side::Sell, "4", "100.00", date).await;
    shop.post_fees(date).await;
    assert_eq!(purse(&shop, account).await, dollars("1399.98", "0.00"));
    assert_eq!(shop.withdrawable(account).await, "999.98");
    shop.settle(day("2026-10-02")).await;
    assert_eq!(shop.withdrawable(account).await, "1399.98");
}

#[tokio::test]
async fn fee_5_the_bust_of_a_sale_whose_fees_are_posted_gives_them_back_and_leaves_no_debit() {
    let mut shop = Shop::open(2, 0).await;
    let date = day("2026-09-15");
    for account in [customer(STRICT), customer(MARGIN)] {
        let sale = shop.trade(account, Side::Sell, "4", "101.00", date).await;
        shop.post_fees(date).await;
        shop.bust(&mut *shop.conn().await, sale).await;
        assert_eq!(purse(&shop, account).await, dollars("0.00", "0.00"));
        assert!(!shop.cash(account).await.debit_allowed);
        assert_eq!(shop.house("f%").await, "");
        shop.prove().await;
    }
    assert_eq!(shop.post_fees(date).await, 0, "nothing is left to post");
}

#[tokio::test]
async fn bp_8_a_fee_that_is_given_back_waits_with_the_proceeds_that_it_was_taken_from() {
    let mut shop = Shop::open(2, 0).await;
    let (date, account) = (day("2026-09-15"), customer(STRICT));
    let taken_back = shop.trade(account, Side::Sell, "100", "150.00", date).await;
    shop.trade(account, Side::Sell, "4", "101.00", date).await;
    shop.post_fees(date).await;
    assert_eq!(purse(&shop, account).await, dollars("0.00", "15403.64"));
    shop.bust(&mut *shop.conn().await, taken_back).await;
    assert_eq!(purse(&shop, account).await, dollars("0.00", "403.97"));
    shop.prove().await;
    shop.settle(day("2026-09-16")).await;
    assert_eq!(purse(&shop, account).await, dollars("403.97", "0.00"));
    shop.prove().await;
}
