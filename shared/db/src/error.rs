//! What can go wrong with the database, by what the caller can do about it.

/// SQLSTATEs that mean "the same transaction may well pass in a moment".
const PASSING: [&str; 5] = [
    "40001", // serialization failure
    "40P01", // deadlock: this side was chosen to give way
    LOCKED, "57014", // canceled by statement_timeout
    "53300", // too many connections
];

/// A lock was not there in time.
const LOCKED: &str = "55P03";

/// SQLSTATEs with which the server ends the connection.
const CONNECTION_ENDED: [&str; 5] = [
    "57P01", // shut down by an administrator
    "57P02", // crash of another back end
    "57P03", // starting up or shutting down
    "57P05", // idle session timeout
    "25P03", // idle in transaction for too long
];

/// A failed call to the database.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// Somebody moved the row since it was read: reload and decide again.
    #[error("the row has changed since it was read")]
    Stale,
    /// A row with this unique key exists already.
    #[error("already there: {constraint}")]
    Duplicate {
        /// The name of the violated constraint, as in the migration.
        constraint: String,
    },
    /// A stored row is not something the program could have written.
    #[error("inconsistent row in {table}: {what}")]
    Inconsistent {
        /// The table of the row.
        table: &'static str,
        /// Which row, and what is wrong with it.
        what: String,
    },
    /// Anything else the driver or the server said.
    #[error(transparent)]
    Sqlx(sqlx::Error),
}

impl DbError {
    /// True when trying the whole transaction again may well succeed.
    ///
    /// After a lost connection the outcome of a `commit` is unknown: retry only what is
    /// idempotent by its keys, or read back first (see [`DbError::is_connection_lost`]).
    pub fn is_transient(&self) -> bool {
        match self {
            DbError::Sqlx(sqlx::Error::PoolTimedOut) => true,
            other => other.is_connection_lost() || other.has_code(|code| PASSING.contains(&code)),
        }
    }

    /// True when somebody else held a row for longer than the role waits for a lock.
    pub fn is_locked(&self) -> bool {
        self.has_code(|code| code == LOCKED)
    }

    /// True when the connection is gone, so that nobody knows whether a sent `commit` happened.
    pub fn is_connection_lost(&self) -> bool {
        match self {
            DbError::Sqlx(sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_)) => true,
            other => other.has_code(|code| code.starts_with("08") || CONNECTION_ENDED.contains(&code)),
        }
    }

    /// The constraint that was violated, unique or not.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            DbError::Duplicate { constraint } => Some(constraint),
            DbError::Sqlx(sqlx::Error::Database(refusal)) => refusal.constraint(),
            _ => None,
        }
    }

    fn has_code(&self, wanted: impl Fn(&str) -> bool) -> bool {
        match self {
            DbError::Sqlx(sqlx::Error::Database(refusal)) => refusal.code().is_some_and(|code| wanted(&code)),
            _ => false,
        }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        let duplicate = match &error {
            sqlx::Error::Database(refusal) if refusal.is_unique_violation() => refusal.constraint().map(str::to_owned),
            _ => None,
        };
        match duplicate {
            Some(constraint) => DbError::Duplicate { constraint },
            None => DbError::Sqlx(error),
        }
    }
}

/// Names the meaning of a constraint where the statement stands.
pub trait OnConstraint<T> {
    /// `.on_constraint("orders_client_id_key", PlaceOrderError::ClientOrderIdTaken)`: that violation
    /// becomes `otherwise`, every other failure passes as it is.
    fn on_constraint<E: From<DbError>>(self, name: &str, otherwise: E) -> Result<T, E>;
}

impl<T, F: Into<DbError>> OnConstraint<T> for Result<T, F> {
    fn on_constraint<E: From<DbError>>(self, name: &str, otherwise: E) -> Result<T, E> {
        self.map_err(|error| {
            let error: DbError = error.into();
            if error.constraint() == Some(name) {
                otherwise
            } else {
                E::from(error)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_connection_is_transient_and_leaves_the_commit_unknown() {
        let cut = DbError::from(sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()));
        assert!(cut.is_transient() && cut.is_connection_lost());
    }

    #[test]
    fn a_full_pool_is_transient_but_nothing_was_sent() {
        let full = DbError::from(sqlx::Error::PoolTimedOut);
        assert!(full.is_transient() && !full.is_connection_lost());
    }

    #[test]
    fn our_own_verdicts_are_final() {
        assert!(!DbError::Stale.is_transient());
        assert!(
            !DbError::Duplicate {
                constraint: "a_key".into()
            }
            .is_transient()
        );
        assert!(!DbError::from(sqlx::Error::RowNotFound).is_transient());
    }
}
