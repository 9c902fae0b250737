//! Parts of a share trade exactly.

use super::*;

fn part(text: &str, order: NewOrder) -> NewOrder {
    let qty = Shares::from_decimal(text.parse().expect("a number")).expect("it fits");
    NewOrder { qty, ..order }
}

#[test]
fn qty_2_a_part_of_a_share_trades_and_what_is_left_over_stays_exact() {
    let mut market = quiet();
    market.set_quote(AAPL, pinned(99, 100, 2));
    let bought = part("1.999999999", buy(1, 100, 0));
    assert_eq!(told(&market.submit(bought)), ["1 new", "1 1.999999999@100 left 0"]);
    assert_eq!(
        market.quote(AAPL).ask_size,
        0,
        "a billionth of a share is offered and not shown"
    );
    let more = part("0.000000002", buy(2, 100, 0));
    assert_eq!(
        told(&market.submit(more)),
        ["2 new", "2 0.000000001@100 left 0.000000001"]
    );
    let seller = part("0.5", sell(3, 100, 0));
    assert_eq!(
        told(&market.submit(seller)),
        [
            "3 new",
            "3 0.000000001@100 left 0.499999999",
            "2 0.000000001@100 left 0"
        ]
    );
}

#[test]
fn the_market_maker_sets_whole_shares_again_after_a_part_was_taken() {
    let mut market = quiet();
    market.set_quote(AAPL, pinned(99, 100, 5));
    market.submit(part("0.25", buy(1, 100, 0)));
    assert_eq!(market.quote(AAPL).ask_size, 4);
    market.tick(noon(), true);
    assert_eq!(market.quote(AAPL).ask_size, 5);
}

#[test]
fn tif_fok_of_a_part_of_a_share_is_all_or_nothing_to_the_last_billionth() {
    let mut market = quiet();
    market.submit(part("0.3", sell(1, 10, 0)));
    let fok = |no, text| with(TimeInForce::Fok, part(text, buy(no, 10, 0)));
    assert_eq!(told(&market.submit(fok(2, "0.300000001"))), ["2 new", "2 canceled"]);
    assert_eq!(
        told(&market.submit(fok(3, "0.3"))),
        ["3 new", "3 0.3@10 left 0", "1 0.3@10 left 0"]
    );
}
