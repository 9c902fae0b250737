//! Ticks by cron and by session, over DST changes, half days and holidays.
#![expect(clippy::unwrap_used, reason = "tests")]

use domain::calendar::Exception;

use super::*;

const GRACE: TimeDelta = TimeDelta::minutes(1);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn dealt(since: &str) -> Dealt {
    Dealt {
        since: at(since),
        to: at(since),
        date: None,
    }
}

/// All ticks between two moments, in UTC.
fn ticks(when: &str, from: &str, to: &str) -> Vec<String> {
    due(when, from, to, Missed::Each)
}

fn due(when: &str, from: &str, to: &str, missed: Missed) -> Vec<String> {
    let when: When = when.parse().unwrap();
    let due = when
        .due(&dealt(from), at(to), &Calendar::nyse(), missed, GRACE)
        .unwrap();
    due.iter().map(|tick| tick.at.format("%dT%H:%M").to_string()).collect()
}

#[test]
fn cron_follows_the_clock_on_the_wall_in_new_york() {
    assert_eq!(
        ticks("30 3 * * *", "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z"),
        ["01T07:30"]
    );
    assert_eq!(
        ticks("30 3 * * *", "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z"),
        ["01T08:30"]
    );
}

/// sched::missed_ticks: on 8 March 2026 the clock went from 02:00 to 03:00 in New York.
#[test]
fn cal_5_in_the_spring_each_cron_tick_comes_once() {
    let (from, to) = ("2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z");
    assert_eq!(
        ticks("30 2 * * *", from, to),
        ["08T07:00", "09T06:30"],
        "a time that is skipped comes at the first moment after"
    );
    let hourly = ticks("0 * * * *", "2026-03-08T05:30:00Z", "2026-03-08T08:30:00Z");
    assert_eq!(
        hourly,
        ["08T06:00", "08T07:00", "08T08:00"],
        "an hour apart, as real time"
    );
}

/// sched::missed_ticks: on 1 November 2026 the clock went back from 02:00 to 01:00.
#[test]
fn cal_5_in_the_fall_each_cron_tick_comes_once() {
    let (from, to) = ("2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z");
    assert_eq!(
        ticks("30 1 * * *", from, to),
        ["01T05:30", "02T06:30"],
        "not again in the hour that comes twice"
    );
    let hourly = ticks("0 * * * *", "2026-11-01T04:30:00Z", "2026-11-01T07:30:00Z");
    assert_eq!(
        hourly,
        ["01T05:00", "01T06:00", "01T07:00"],
        "an hour apart, as real time"
    );
}

#[test]
fn cal_5_looked_at_a_minute_at_a_time_a_change_of_the_clock_gives_the_same_ticks() {
    for (from, hours) in [("2026-03-08T00:00:00Z", 24), ("2026-11-01T00:00:00Z", 24)] {
        for text in ["30 2 * * *", "30 1 * * *", "*/20 * * * *"] {
            let when: When = text.parse().unwrap();
            let mut so_far = dealt(from);
            let mut seen = vec![];
            for minute in 1..=hours * 60 {
                let now = at(from) + TimeDelta::minutes(minute);
                for missed in [Missed::Each, Missed::Last, Missed::Skip] {
                    let due = when.due(&so_far, now, &Calendar::nyse(), missed, GRACE).unwrap();
                    seen.extend(due.iter().map(|tick| tick.at));
                    so_far.to = due.last().map_or(so_far.to, |tick| tick.at);
                }
            }
            let end = at(from) + TimeDelta::hours(hours);
            let at_once = when
                .due(&dealt(from), end, &Calendar::nyse(), Missed::Each, GRACE)
                .unwrap();
            assert_eq!(
                seen,
                at_once.iter().map(|tick| tick.at).collect::<Vec<_>>(),
                "{text} from {from}"
            );
        }
    }
}

#[test]
fn cal_5_session_ticks_follow_the_bell_over_a_change_of_the_clock() {
    assert_eq!(
        ticks("close + 10m", "2026-03-06T00:00:00Z", "2026-03-10T12:00:00Z"),
        ["06T21:10", "09T20:10"]
    );
    assert_eq!(
        ticks("open - 5m", "2026-10-30T00:00:00Z", "2026-11-03T00:00:00Z"),
        ["30T13:25", "02T14:25"]
    );
}

#[test]
fn cal_2_ten_minutes_after_the_close_of_a_half_day_is_ten_past_one() {
    // The day after Thanksgiving; Thanksgiving itself has no session.
    assert_eq!(
        ticks("close + 10m", "2026-11-25T12:00:00Z", "2026-11-30T12:00:00Z"),
        ["25T21:10", "27T18:10"]
    );
}

#[test]
fn a_tick_that_was_missed_runs_by_policy() {
    let (from, to) = ("2026-11-23T00:30:00Z", "2026-11-23T05:00:30Z");
    assert_eq!(due("0 * * * *", from, to, Missed::Each).len(), 5);
    assert_eq!(due("0 * * * *", from, to, Missed::Last), ["23T05:00"]);
    assert_eq!(
        due("0 * * * *", from, to, Missed::Skip),
        ["23T05:00"],
        "half a minute late is on time"
    );
    assert_eq!(due("0 * * * *", from, "2026-11-23T05:30:00Z", Missed::Skip), [""; 0]);
    assert_eq!(
        due("close", "2026-11-18T00:00:00Z", "2026-11-23T12:00:00Z", Missed::Last),
        ["20T21:00"]
    );
    assert_eq!(due("at 2026-11-23T01:00:00Z", from, to, Missed::Last), ["23T01:00"]);
    assert_eq!(due("at 2026-11-23T01:00:00Z", from, to, Missed::Skip), [""; 0]);
}

/// sched::missed_ticks: a clock that jumps forth and back.
#[test]
fn ticks_that_a_clock_ahead_of_time_gave_do_not_come_again() {
    let when: When = "*/5 * * * *".parse().unwrap();
    let mut so_far = dealt("2026-11-23T15:00:00Z");
    let ahead = when
        .due(
            &so_far,
            at("2026-11-23T15:11:00Z"),
            &Calendar::nyse(),
            Missed::Each,
            GRACE,
        )
        .unwrap();
    assert_eq!(ahead.len(), 2);
    so_far.to = ahead[1].at;
    for missed in [Missed::Each, Missed::Last, Missed::Skip] {
        let back = when.due(&so_far, at("2026-11-23T15:06:00Z"), &Calendar::nyse(), missed, GRACE);
        assert_eq!(back.unwrap(), [], "{missed:?}");
    }
}

#[test]
fn a_session_has_one_tick_although_its_close_moves() {
    let when: When = "close + 10m".parse().unwrap();
    let so_far = Dealt {
        date: NaiveDate::from_ymd_opt(2026, 11, 23),
        ..dealt("2026-11-23T12:00:00Z")
    };
    let late = when.due(
        &so_far,
        at("2026-11-23T23:00:00Z"),
        &Calendar::nyse(),
        Missed::Each,
        GRACE,
    );
    assert_eq!(late.unwrap(), []);
}

fn with(exception: Exception) -> Calendar {
    let monday = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
    Calendar::nyse().with_exceptions([(monday, exception)])
}

#[test]
fn cal_4_the_close_of_a_session_that_was_taken_away_still_comes_and_its_open_does_not() {
    let closed = with(Exception::Closed);
    let due = |text: &str| {
        let when: When = text.parse().unwrap();
        let due = when.due(
            &dealt("2026-11-23T12:00:00Z"),
            at("2026-11-24T00:00:00Z"),
            &closed,
            Missed::Each,
            GRACE,
        );
        due.unwrap().first().map(|tick| tick.at)
    };
    assert_eq!(due("close + 10m"), Some(at("2026-11-23T21:10:00Z")));
    assert_eq!(due("open - 5m"), None);
}

/// An operator says at 13:30 that the market has closed at 13:00.
#[test]
fn cal_4_a_close_that_moved_into_the_past_is_due_at_once_and_once() {
    let early = with(Exception::ClosesAt(chrono::NaiveTime::from_hms_opt(13, 0, 0).unwrap()));
    let when: When = "close + 10m".parse().unwrap();
    let mut so_far = dealt("2026-11-23T12:00:00Z");
    let now = at("2026-11-23T18:30:00Z");
    let due = when.due(&so_far, now, &early, Missed::Each, GRACE).unwrap();
    assert_eq!(
        due.iter().map(|tick| tick.at).collect::<Vec<_>>(),
        [at("2026-11-23T18:10:00Z")]
    );
    so_far.date = due[0].session_date;
    let usual = when.due(
        &so_far,
        at("2026-11-23T22:00:00Z"),
        &Calendar::nyse(),
        Missed::Each,
        GRACE,
    );
    assert_eq!(usual.unwrap(), [], "and not again when the exception is taken back");
}

#[test]
fn a_schedule_has_no_tick_from_before_it_was_made() {
    assert_eq!(
        ticks("close + 10m", "2026-11-23T21:30:00Z", "2026-11-23T22:00:00Z"),
        [""; 0]
    );
}

#[test]
fn the_next_tick_is_told_over_a_weekend() {
    let next = |when: &str, now: &str| {
        let when: When = when.parse().unwrap();
        when.next(&dealt("2026-11-01T00:00:00Z"), at(now), &Calendar::nyse())
    };
    let friday = "2026-11-20T21:30:00Z";
    assert_eq!(next("open - 5m", friday), Some(at("2026-11-23T14:25:00Z")));
    assert_eq!(next("0 * * * *", friday), Some(at("2026-11-20T22:00:00Z")));
    assert_eq!(next("by hand", friday), None);
    assert_eq!(next("at 2026-11-20T21:00:00Z", friday), None, "it is over");
}

#[test]
fn a_calendar_that_ends_is_told_and_not_guessed() {
    let when: When = "close".parse().unwrap();
    let unknown = when.due(
        &dealt("2040-01-01T00:00:00Z"),
        at("2040-01-05T00:00:00Z"),
        &Calendar::nyse(),
        Missed::Each,
        GRACE,
    );
    assert!(unknown.is_err());
}

#[test]
fn what_is_written_is_read_and_nonsense_is_refused() {
    for text in [
        "30 3 * * 1-5",
        "open - 5m",
        "close",
        "close + 10m",
        "close + 90s",
        "at 2026-11-23T21:00:00Z",
        "by hand",
    ] {
        assert_eq!(text.parse::<When>().unwrap().to_string(), text);
    }
    assert_eq!("close+1h".parse::<When>().unwrap().to_string(), "close + 1h");
    for text in [
        "",
        "noon",
        "open 5m",
        "close + 13h",
        "close + 5",
        "close + m",
        "opening",
        "at noon",
        "61 * * * *",
        "close + 10ü",
    ] {
        assert!(text.parse::<When>().is_err(), "{text}");
    }
}
