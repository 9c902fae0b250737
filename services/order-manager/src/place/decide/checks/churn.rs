//! Placing and canceling for its own sake (RSK-8). Step 1 refuses new orders in the symbol, replacements too, while the account cancels too
//! much there for what it trades. Step 2 is for who goes on: a cool-off, twice as long each time. Cancels are never
//! refused, and never meet this check.

use std::time::Duration;

use chrono::TimeDelta;
use domain::Timestamp;
use identity::limits::ChurnRule;

use super::Seen;
use crate::error::PlaceOrderError;

/// Cancels are counted in slots of this many seconds, so the minute's count falls no sooner.
const SLOT_SECONDS: u64 = 10;

/// What an account does in one symbol; the order at hand is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Churn {
    /// Cancels of the last minute.
    pub minute: i64,
    /// Cancels of the last ten minutes.
    pub ten_minutes: i64,
    /// Fills of the last ten minutes; read only when there are cancels enough to ask.
    pub fills: i64,
    /// The last strike, if there is one.
    pub struck: Option<Struck>,
}

/// That an account went on, how often, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Struck {
    /// The how many-eth in a row.
    pub strikes: i32,
    /// When.
    pub at: Timestamp,
    /// No new orders before; the strike's own time where it is only a warning.
    pub cool_off_until: Timestamp,
}

/// What the rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Verdict {
    /// Take it.
    Fine,
    /// Refused because of an earlier strike.
    CoolingOff(Timestamp),
    /// Refused.
    TooMuch,
    /// Refused, and written down.
    Strike(Struck),
}

pub(super) fn check(seen: Seen<'_>) -> Result<(), PlaceOrderError> {
    let Some(rule) = seen.account.churn_rule else {
        return Ok(());
    };
    let Some(churn) = seen.account.churn.get(&seen.command.symbol) else {
        return Ok(());
    };
    let until = match verdict(churn, rule, seen.given.now) {
        Verdict::Fine => return Ok(()),
        Verdict::TooMuch => seen.given.now,
        Verdict::CoolingOff(until)
        | Verdict::Strike(Struck {
            cool_off_until: until, ..
        }) => until,
    };
    let wait = u64::try_from((until - seen.given.now).num_seconds()).unwrap_or(0);
    Err(PlaceOrderError::Churning {
        symbol: seen.command.symbol.clone(),
        rule,
        retry_after: wait.max(SLOT_SECONDS),
    })
}

/// The rule. Pure in all that it knows.
pub(in super::super) fn verdict(churn: &Churn, rule: ChurnRule, now: Timestamp) -> Verdict {
    let cooling = churn.struck.filter(|struck| now < struck.cool_off_until);
    if let Some(struck) = cooling {
        return Verdict::CoolingOff(struck.cool_off_until);
    }
    let too_many = churn.minute > i64::from(rule.cancels_per_minute);
    let too_few_fills = churn.ten_minutes > i64::from(rule.cancels_per_fill).saturating_mul(churn.fills);
    if !(too_many && too_few_fills) {
        return Verdict::Fine;
    }
    let first = Struck {
        strikes: 1,
        at: now,
        cool_off_until: now,
    };
    match churn.struck {
        // What is an hour past is past.
        Some(last) if now >= last.cool_off_until + span(rule.cool_off_most) => Verdict::Strike(first),
        // The same burst is one strike, however many orders are refused in it.
        Some(last) if now < last.at + span(rule.cool_off) => Verdict::TooMuch,
        Some(last) => Verdict::Strike(Struck {
            strikes: last.strikes.saturating_add(1),
            at: now,
            cool_off_until: now + cool_off(rule, last.strikes),
        }),
        None => Verdict::Strike(first),
    }
}

/// After the second strike the shortest, then twice as long each time, up to the longest.
fn cool_off(rule: ChurnRule, strikes_before: i32) -> TimeDelta {
    let doublings = u32::try_from(strikes_before - 1).unwrap_or(0);
    let grown = rule.cool_off.saturating_mul(2_u32.saturating_pow(doublings));
    span(grown.min(rule.cool_off_most))
}

fn span(time: Duration) -> TimeDelta {
    TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        testkit::start_of_time() + TimeDelta::seconds(seconds)
    }

    fn said(minute: i64, ten_minutes: i64, fills: i64) -> Verdict {
        let churn = Churn {
            minute,
            ten_minutes,
            fills,
            struck: None,
        };
        verdict(&churn, ChurnRule::default(), at(0))
    }

    fn is_fine(verdict: Verdict) -> bool {
        verdict == Verdict::Fine
    }

    #[test]
    fn rsk_8_both_too_many_cancels_and_too_few_fills_are_needed() {
        assert!(is_fine(said(30, 30, 0)), "thirty are allowed");
        assert!(!is_fine(said(31, 31, 0)));
        assert!(!is_fine(said(31, 31, 1)), "31 for one fill");
        assert!(is_fine(said(31, 31, 2)));
        assert!(is_fine(said(31, 40, 2)), "twenty for each are allowed");
        assert!(!is_fine(said(31, 41, 2)));
        assert!(is_fine(said(30, 1_000, 0)), "slow enough");
    }

    /// An account that churns without end, an order every ten seconds: when it is struck, and for how long.
    fn strikes_of(seconds: i64) -> Vec<(i64, i64)> {
        let mut churn = Churn {
            minute: 100,
            ten_minutes: 100,
            ..Churn::default()
        };
        let mut strikes = Vec::new();
        for now in (0..seconds).step_by(10) {
            if let Verdict::Strike(struck) = verdict(&churn, ChurnRule::default(), at(now)) {
                strikes.push((now, (struck.cool_off_until - struck.at).num_seconds()));
                churn.struck = Some(struck);
            }
        }
        strikes
    }

    #[test]
    fn rsk_8_the_first_strike_warns_the_second_costs_a_minute_and_each_further_one_twice_as_long() {
        let strikes = strikes_of(1_200);
        assert_eq!(
            strikes,
            [(0, 0), (60, 60), (120, 120), (240, 240), (480, 480), (960, 960)]
        );
    }

    #[test]
    fn rsk_8_no_cool_off_is_longer_than_an_hour() {
        let strikes = strikes_of(50_000);
        let longest = strikes.iter().map(|(_, cool_off)| *cool_off).max();
        assert_eq!(longest, Some(3_600));
        assert_eq!(
            strikes.last().map(|(_, cool_off)| *cool_off),
            Some(3_600),
            "{strikes:?}"
        );
    }

    #[test]
    fn an_hour_without_a_strike_is_a_new_beginning() {
        let struck = Struck {
            strikes: 5,
            at: at(0),
            cool_off_until: at(480),
        };
        let churn = Churn {
            minute: 100,
            ten_minutes: 100,
            fills: 0,
            struck: Some(struck),
        };
        let strikes = |now| match verdict(&churn, ChurnRule::default(), at(now)) {
            Verdict::Strike(struck) => struck.strikes,
            _ => 0,
        };
        assert_eq!([strikes(479), strikes(4_079), strikes(4_080)], [0, 6, 1]);
    }

    #[test]
    fn who_stops_in_time_is_not_cooled_off() {
        let struck = Some(Struck {
            strikes: 1,
            at: at(0),
            cool_off_until: at(0),
        });
        let calm = Churn {
            struck,
            minute: 3,
            ten_minutes: 120,
            fills: 0,
        };
        assert!(is_fine(verdict(&calm, ChurnRule::default(), at(70))));
    }

    #[test]
    fn numbers_at_their_ends_do_not_overflow() {
        let rule = ChurnRule {
            cool_off: Duration::MAX,
            cool_off_most: Duration::from_secs(3_600),
            ..ChurnRule::default()
        };
        assert_eq!(cool_off(rule, i32::MAX), TimeDelta::hours(1));
        assert_eq!(cool_off(ChurnRule::default(), i32::MAX), TimeDelta::hours(1));
    }
}
