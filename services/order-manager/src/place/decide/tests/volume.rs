//! How large a part of a symbol's usual day one order may ask for (RSK-3).

use instruments::AverageVolume;
use rust_decimal::Decimal;

use super::*;
use crate::place::decide::checks::Unmeasured;

/// So many shares a session, up to this one.
pub fn of(average: u64, through: &str) -> Option<AverageVolume> {
    Some(AverageVolume {
        symbol: symbol(),
        average,
        sessions: 20,
        through: through.parse().unwrap(),
    })
}

/// A buy of a symbol of which so many shares trade.
fn measured(qty: &str, average: u64) -> Command {
    Command {
        volume: of(average, "2026-11-20"),
        ..command(1, Side::Buy, qty, "1")
    }
}

fn rich(share: &str) -> Books {
    let mut books = books(10_000_000, 0);
    let rules = &mut books.accounts.get_mut(&account()).unwrap().rules;
    rules.max_volume_share = share.parse().unwrap();
    books
}

#[rstest]
#[case::all_of_it("5", 100, "0.05", true)]
#[case::a_share_more("6", 100, "0.05", false)]
#[case::a_billionth_more("5.000000001", 100, "0.05", false)]
#[case::rounded_down_to_a_billionth("33.333333339", 100, "0.333333333399", true)]
#[case::and_not_up("33.33333334", 100, "0.333333333399", false)]
#[case::a_wider_share("6", 100, "0.06", true)]
#[case::more_than_a_day("200", 100, "2", true)]
#[case::one_share_of_what_hardly_trades("1", 7, "0.05", true)]
#[case::and_no_more("1.5", 7, "0.05", false)]
#[case::one_share_of_what_did_not_trade("1", 0, "0.05", true)]
#[case::more_than_any_order_has("100000", u64::MAX, "100", true)]
fn rsk_3_an_order_asks_for_no_more_than_its_share_of_a_usual_day(
    #[case] qty: &str,
    #[case] average: u64,
    #[case] share: &str,
    #[case] taken: bool,
) {
    let decided = decided(&mut rich(share), &measured(qty, average));
    let above = |error: &PlaceOrderError| matches!(error, PlaceOrderError::AboveVolumeShare { .. });
    assert!(decided.as_ref().err().is_none_or(above), "{decided:?}");
    assert_eq!(decided.map(|accepted| accepted.unmeasured).ok(), taken.then_some(None));
}

#[test]
fn rsk_3_the_refusal_says_what_was_asked_and_what_is_allowed() {
    let refusal = decided(&mut rich("0.05"), &measured("18001", 360_010)).unwrap_err();
    let expected = PlaceOrderError::AboveVolumeShare {
        qty: Qty::parse("18001").unwrap(),
        most: Qty::parse("18000.5").unwrap(),
        average: 360_010,
        percent: Decimal::from(5),
    };
    assert_eq!(refusal, expected);
    let told =
        "qty 18001 is above the limit of 18000.5, 5 percent of the average daily volume of 360010: send smaller orders";
    assert_eq!(refusal.to_string(), told);
}

#[rstest]
#[case::a_week_ago("2026-11-16", None)]
#[case::before_that("2026-11-15", Some(Unmeasured::OldVolume))]
fn rsk_3_an_old_average_measures_nothing_and_that_is_told(
    #[case] through: &str,
    #[case] unmeasured: Option<Unmeasured>,
) {
    let order = Command {
        volume: of(1, through),
        ..command(1, Side::Buy, "2", "1")
    };
    let decided = decided(&mut rich("0.05"), &order);
    match unmeasured {
        Some(_) => assert_eq!(decided.unwrap().unmeasured, unmeasured),
        None => assert!(
            matches!(decided, Err(PlaceOrderError::AboveVolumeShare { .. })),
            "{decided:?}"
        ),
    }
}

#[test]
fn rsk_3_without_an_average_the_order_is_taken_and_that_is_told() {
    let decided = decided(&mut rich("0.05"), &command(1, Side::Buy, "100000", "1")).unwrap();
    assert_eq!(decided.unmeasured, Some(Unmeasured::NoVolume));
}
