//! Kill switches (RSK-6): what each stops, and what it takes to lift one. Pure.

use domain::{AccountId, Symbol, Timestamp};
use std::fmt;
use strum::{Display, EnumString, IntoStaticStr};
use thiserror::Error;
use uuid::Uuid;

/// How much of the business a switch stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Level {
    /// One symbol, for everybody.
    Symbol,
    /// One account.
    Account,
    /// Everything that goes to one exchange.
    Venue,
    /// Everything.
    Firm,
}

/// What a switch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Mode {
    /// No new orders; what was not sent yet stays where it is.
    BlockNew,
    /// No new orders, and the end of all open ones is asked for.
    BlockNewAndCancelAll,
}

/// What a switch stops.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// One symbol, for everybody.
    Symbol(Symbol),
    /// One account.
    Account(AccountId),
    /// Everything that goes to one exchange, by its name.
    Venue(String),
    /// Everything.
    Firm,
}

/// Words that name nothing a switch could stop.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{level} {subject:?} is nothing that a kill switch could stop")]
pub struct UnknownTarget {
    level: Level,
    subject: String,
}

impl Target {
    /// Reads the table's two words.
    ///
    /// # Errors
    /// The subject does not fit the level.
    pub fn read(level: Level, subject: &str) -> Result<Self, UnknownTarget> {
        let read = match level {
            Level::Symbol => Symbol::parse(subject).map(Target::Symbol),
            Level::Account => subject.parse().ok().map(AccountId::new).map(Target::Account),
            Level::Venue => (!subject.is_empty()).then(|| Target::Venue(subject.to_owned())),
            Level::Firm => subject.is_empty().then_some(Target::Firm),
        };
        read.ok_or_else(|| UnknownTarget {
            level,
            subject: subject.to_owned(),
        })
    }

    /// How much it stops.
    pub const fn level(&self) -> Level {
        match self {
            Target::Symbol(_) => Level::Symbol,
            Target::Account(_) => Level::Account,
            Target::Venue(_) => Level::Venue,
            Target::Firm => Level::Firm,
        }
    }

    /// The table's second word.
    pub fn subject(&self) -> String {
        match self {
            Target::Symbol(symbol) => symbol.to_string(),
            Target::Account(id) => id.to_string(),
            Target::Venue(name) => name.clone(),
            Target::Firm => String::new(),
        }
    }

    /// Whether an order is of what this stops.
    pub fn covers(&self, symbol: &Symbol, account: AccountId, venue: &str) -> bool {
        match self {
            Target::Symbol(own) => own == symbol,
            Target::Account(own) => *own == account,
            Target::Venue(own) => own == venue,
            Target::Firm => true,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Firm => f.write_str("firm"),
            other => write!(f, "{} {}", other.level(), other.subject()),
        }
    }
}

/// One switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// Its id.
    pub switch_id: Uuid,
    /// What it stops.
    pub target: Target,
    /// How.
    pub mode: Mode,
    /// Why.
    pub reason: String,
    /// Who set it, or made it stronger.
    pub set_by: String,
    /// When.
    pub set_at: Timestamp,
    /// Who wants it lifted.
    pub lift_proposed_by: Option<String>,
    /// Why.
    pub lift_reason: Option<String>,
    /// The second person, who lifted it.
    pub lifted_by: Option<String>,
    /// When.
    pub lifted_at: Option<Timestamp>,
}

/// What a wish to lift a switch comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifting {
    /// The first person has spoken; it stays in force.
    Proposed,
    /// The second person agreed: it is lifted.
    Lifted,
}

/// Why a switch is not lifted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LiftRefused {
    /// One person is not two.
    #[error("{0} proposed to lift it: somebody else has to agree")]
    SamePerson(String),
    /// Nobody would know who it was.
    #[error("say who lifts it")]
    Nobody,
}

/// Dual control: one person proposes, another one lifts. Names are compared as people read them.
///
/// # Errors
/// The same person again.
pub fn lifting(proposed_by: Option<&str>, by: &str) -> Result<Lifting, LiftRefused> {
    let by = by.trim();
    match proposed_by {
        _ if by.is_empty() => Err(LiftRefused::Nobody),
        None => Ok(Lifting::Proposed),
        Some(first) if first.trim().to_lowercase() == by.to_lowercase() => {
            Err(LiftRefused::SamePerson(first.to_owned()))
        }
        Some(_) => Ok(Lifting::Lifted),
    }
}

#[cfg(test)]
mod tests {
    //! What is stopped, and who may let it go on.

    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use rstest::rstest;

    const ADA: &str = "019b5c00-0000-7000-8000-000000000001";

    #[rstest]
    #[case(Level::Symbol, "AAPL", true)]
    #[case(Level::Symbol, "MSFT", false)]
    #[case(Level::Account, ADA, true)]
    #[case(Level::Account, "019b5c00-0000-7000-8000-000000000002", false)]
    #[case(Level::Venue, "exchange", true)]
    #[case(Level::Venue, "other", false)]
    #[case(Level::Firm, "", true)]
    fn rsk_6_a_switch_stops_what_it_names(#[case] level: Level, #[case] subject: &str, #[case] stopped: bool) {
        let target = Target::read(level, subject).unwrap();
        let (symbol, account) = (Symbol::parse("AAPL").unwrap(), AccountId::new(ADA.parse().unwrap()));
        assert_eq!(target.covers(&symbol, account, "exchange"), stopped);
        assert_eq!((target.level(), target.subject().as_str()), (level, subject));
    }

    #[rstest]
    #[case(Level::Symbol, "")]
    #[case(Level::Account, "ada")]
    #[case(Level::Venue, "")]
    #[case(Level::Firm, "all")]
    fn words_that_name_nothing_are_refused(#[case] level: Level, #[case] subject: &str) {
        assert!(Target::read(level, subject).is_err());
    }

    #[test]
    fn rsk_6_lifting_takes_two_persons_however_they_write_their_names() {
        assert_eq!(lifting(None, "ada"), Ok(Lifting::Proposed));
        for again in ["ada", "Ada", " ADA "] {
            assert_eq!(
                lifting(Some("ada"), again),
                Err(LiftRefused::SamePerson("ada".to_owned()))
            );
        }
        assert_eq!(lifting(Some("ada"), "bob"), Ok(Lifting::Lifted));
        assert_eq!(lifting(None, "  "), Err(LiftRefused::Nobody));
    }
}
