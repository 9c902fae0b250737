//! Misbehaviour on request: rules that make the exchange lose answers, repeat reports, fill too much.
//!
//! A rule has a kind and a reach: the next n matching calls or events, a share of them, or all until it is cleared;
//! optionally one symbol or one order only. The first rule that matches wins and counts one hit.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::core::Dice;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The call takes effect, then the connection drops without an answer.
    AnswerLostAfterAccepting,
    /// The connection drops and nothing happened.
    LostBeforeAccepting,
    /// Status 500.
    #[serde(rename = "500")]
    Status500,
    /// Status 502 with an HTML page, as a proxy in front would send.
    #[serde(rename = "502_html")]
    Status502Html,
    /// Status 503.
    #[serde(rename = "503")]
    Status503,
    /// Status 429 with `Retry-After`.
    #[serde(rename = "429")]
    Status429,
    /// The call waits `delay_ms` and takes effect only then, even if the caller has gone.
    Slow,
    /// The call takes effect, its reports go out, and the answer follows after `delay_ms`.
    ReportBeforeAck,
    /// The head of the answer comes at once, its body bit by bit over `delay_ms`.
    SlowBody,
    /// The answer is cut in the middle of the body.
    BodyCut,
    /// The answer is not JSON.
    BrokenJson,
    /// The answer names another order.
    WrongOrderId,
    /// The answer shows another quantity.
    WrongQty,
    /// A new order, or a replacement, is refused as a repeat although it is none; nothing is stored.
    DuplicateKey,
    /// A look-up answers "not found".
    NotFound,
    /// A new order, or a replacement, is refused for good; nothing is stored.
    Reject,
    /// A new order is taken and rejected by a report right after.
    RejectLater,
    /// Reports go out twice on the stream.
    DuplicateReport,
    /// Reports of one commit go out in the wrong order.
    OutOfOrder,
    /// Reports do not go out on the stream at all.
    NoReports,
    /// After a cancel half of what was left trades all the same.
    FillAfterCancel,
    /// One share more than ordered trades.
    Overfill,
    /// An execution is taken back right after.
    Bust,
    /// A replacement is taken and decided only `delay_ms` later, by the exchange's clock, or when the old order is over.
    ReplacePending,
    /// A replacement is taken and refused by reports right after; the old order goes on.
    ReplaceRejectLater,
    /// A new order's `client_order_id` is forgotten at once: no look-up by it finds the order, and it can be used again.
    KeyForgotten,
    /// A new order is acknowledged and then unknown, under its id too.
    AcceptedThenLost,
    /// Half of what an order's end left had traded just before, or before the close, and is told of `delay_ms` later.
    LatePrint,
    /// The trade file ends in the middle of a line.
    FileCut,
    /// The trade file has no trailer.
    FileNoTrailer,
    /// The trade file's trailer counts other shares than its lines have.
    FileWrongSum,
    /// The trade file's header names another date.
    FileWrongDate,
    /// The trade file leaves an execution out, and adds up.
    FileMissingLine,
    /// The trade file has an execution of an order that nobody sent, and adds up.
    FileUnknownLine,
    /// The trade file has one share too many in an execution, and adds up.
    FileWrongQty,
    /// The trade file has an execution one step of the price off, and adds up.
    FileWrongPrice,
}

impl Kind {
    /// Whether it spoils a call, as opposed to an order or its reports.
    const fn is_of_calls(self) -> bool {
        !self.is_of_orders() && !self.is_of_reports() && !self.is_of_files()
    }

    const fn is_of_orders(self) -> bool {
        matches!(
            self,
            Self::RejectLater
                | Self::FillAfterCancel
                | Self::Overfill
                | Self::Bust
                | Self::KeyForgotten
                | Self::AcceptedThenLost
                | Self::LatePrint
                | Self::ReplacePending
                | Self::ReplaceRejectLater
        )
    }

    const fn is_of_reports(self) -> bool {
        matches!(self, Self::DuplicateReport | Self::OutOfOrder | Self::NoReports)
    }

    /// Whether it spoils a trade file. Symbol and order of its rule name the execution.
    pub(crate) const fn is_of_files(self) -> bool {
        matches!(
            self,
            Self::FileCut
                | Self::FileNoTrailer
                | Self::FileWrongSum
                | Self::FileWrongDate
                | Self::FileMissingLine
                | Self::FileUnknownLine
                | Self::FileWrongQty
                | Self::FileWrongPrice
        )
    }
}

/// Which calls a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// New orders.
    #[default]
    Submit,
    /// Cancels.
    Cancel,
    /// Replacements. A rule for one order means the replacement's name.
    Replace,
    /// Look-ups and lists of orders.
    Read,
    /// Polls for executions.
    Activities,
    /// The end-of-day trade file.
    TradeFile,
    /// All of these.
    Any,
}

/// A rule as it is asked for: the body of `POST /sim/faults`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What goes wrong.
    pub kind: Kind,
    /// For so many matching calls or events.
    #[serde(default)]
    pub next: Option<u64>,
    /// For this share of them, in per cent.
    #[serde(default)]
    pub share_percent: Option<u64>,
    /// For orders of this symbol only.
    #[serde(default)]
    pub symbol: Option<String>,
    /// For this order only.
    #[serde(default)]
    pub client_order_id: Option<String>,
    /// How long the slow kinds wait; a late print and a pending replacement by the exchange's clock.
    #[serde(default = "usual_delay")]
    pub delay_ms: u64,
    /// Which calls; of new orders unless said otherwise, of look-ups for `not_found`.
    #[serde(default)]
    pub on: Option<On>,
    /// With the status kinds: whether the call takes effect all the same.
    #[serde(default)]
    pub applied: bool,
}

const fn usual_delay() -> u64 {
    1_000
}

impl Rule {
    fn is_about(&self, on: On) -> bool {
        let usual = if self.kind == Kind::NotFound {
            On::Read
        } else {
            On::Submit
        };
        let mine = self.on.unwrap_or(usual);
        self.kind.is_of_calls() && (mine == on || mine == On::Any)
    }
}

/// Which order a call or event is about; unknown parts match only rules that do not ask for them.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// The ticker.
    pub symbol: Option<&'a str>,
    /// The caller's name for the order.
    pub client_order_id: Option<&'a str>,
}

/// A rule at work.
#[derive(Debug, Clone, Serialize)]
pub struct ActiveRule {
    /// As asked for; `next` counts down.
    #[serde(flatten)]
    pub rule: Rule,
    /// How often it struck.
    pub hits: u64,
}

/// The rules in force.
#[derive(Debug)]
pub struct Faults {
    rules: Mutex<(Vec<ActiveRule>, Dice)>,
    /// Spares the usual case the lock.
    active: AtomicUsize,
}

impl Faults {
    /// None at first; the seed decides which calls a share hits.
    pub fn new(seed: u64) -> Self {
        Self {
            rules: Mutex::new((Vec::new(), Dice::new(seed))),
            active: AtomicUsize::new(0),
        }
    }

    /// Adds a rule behind the others.
    pub fn add(&self, rule: Rule) {
        let mut rules = self.lock();
        rules.0.push(ActiveRule { rule, hits: 0 });
        self.active.store(rules.0.len(), Ordering::Release);
    }

    /// Takes all rules away.
    pub fn clear(&self) {
        let mut rules = self.lock();
        rules.0.clear();
        self.active.store(0, Ordering::Release);
    }

    /// The rules and how often each struck; used-up ones stay in the list until they are cleared.
    pub fn list(&self) -> Vec<ActiveRule> {
        self.lock().0.clone()
    }

    /// Whether there is any rule, so that callers only then find out what a call is about.
    pub fn any(&self) -> bool {
        self.active.load(Ordering::Acquire) > 0
    }

    /// The rule that spoils this call, if one does.
    pub fn on_call(&self, on: On, about: About<'_>) -> Option<Rule> {
        self.strike(|rule| rule.is_about(on) && is_of(rule, about))
    }

    /// The rule that spoils this trade file, if one does.
    pub fn on_file(&self) -> Option<Rule> {
        self.strike(|rule| rule.kind.is_of_files())
    }

    /// Whether this kind strikes an order or one of its reports.
    pub fn strikes(&self, kind: Kind, about: About<'_>) -> bool {
        self.struck_by(kind, about).is_some()
    }

    /// The rule of this kind that strikes an order or one of its reports.
    pub fn struck_by(&self, kind: Kind, about: About<'_>) -> Option<Rule> {
        self.strike(|rule| rule.kind == kind && is_of(rule, about))
    }

    fn strike(&self, wanted: impl Fn(&Rule) -> bool) -> Option<Rule> {
        if !self.any() {
            return None;
        }
        let mut guard = self.lock();
        let (rules, dice) = &mut *guard;
        let hit = rules
            .iter_mut()
            .find(|active| wanted(&active.rule) && reaches(&active.rule, dice))?;
        hit.hits += 1;
        if let Some(next) = &mut hit.rule.next {
            *next -= 1;
        }
        metrics::counter!("daybook_exchange_faults_total", "kind" => format!("{:?}", hit.rule.kind)).increment(1);
        Some(hit.rule.clone())
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<ActiveRule>, Dice)> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_of(rule: &Rule, about: About<'_>) -> bool {
    let same = |wanted: &Option<String>, is: Option<&str>| wanted.is_none() || wanted.as_deref() == is;
    same(&rule.symbol, about.symbol) && same(&rule.client_order_id, about.client_order_id)
}

fn reaches(rule: &Rule, dice: &mut Dice) -> bool {
    rule.next != Some(0) && rule.share_percent.is_none_or(|share| dice.below(100) < share)
}

#[cfg(test)]
mod tests {
    //! Which calls a rule strikes.
    use super::*;

    fn rule(json: &str) -> Rule {
        serde_json::from_str(json).expect("a literal of this file")
    }

    fn aapl() -> About<'static> {
        About {
            symbol: Some("AAPL"),
            client_order_id: Some("c-1"),
        }
    }

    #[test]
    fn the_next_two_orders_are_struck_and_no_look_up_is() {
        let faults = Faults::new(1);
        faults.add(rule(r#"{"kind": "500", "next": 2}"#));
        assert!(faults.on_call(On::Read, aapl()).is_none());
        let struck: Vec<bool> = (0..3).map(|_| faults.on_call(On::Submit, aapl()).is_some()).collect();
        assert_eq!(struck, [true, true, false]);
        assert_eq!(faults.list()[0].hits, 2);
    }

    #[test]
    fn a_rule_for_one_symbol_or_order_leaves_the_others_alone() {
        let faults = Faults::new(1);
        faults.add(rule(r#"{"kind": "429", "symbol": "MSFT"}"#));
        faults.add(rule(r#"{"kind": "503", "client_order_id": "c-2"}"#));
        assert!(faults.on_call(On::Submit, aapl()).is_none());
        let second = About {
            client_order_id: Some("c-2"),
            ..aapl()
        };
        assert_eq!(
            faults.on_call(On::Submit, second).map(|r| r.kind),
            Some(Kind::Status503)
        );
    }

    #[test]
    fn a_share_strikes_about_that_many() {
        let faults = Faults::new(1);
        faults.add(rule(r#"{"kind": "slow", "share_percent": 30}"#));
        let struck = (0..1_000)
            .filter(|_| faults.on_call(On::Submit, aapl()).is_some())
            .count();
        assert!((250..350).contains(&struck), "{struck}");
    }

    #[test]
    fn a_kind_of_reports_never_spoils_a_call() {
        let faults = Faults::new(1);
        faults.add(rule(r#"{"kind": "no_reports"}"#));
        assert!(faults.on_call(On::Submit, aapl()).is_none());
        assert!(faults.strikes(Kind::NoReports, aapl()));
    }
}
