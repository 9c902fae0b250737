//! "This statement changed exactly one row", said where the statement stands.

use sqlx::postgres::PgQueryResult;

use crate::DbError;

/// Checks the number of rows a statement touched.
pub trait ExactlyOne {
    /// `Ok` for one row, else `otherwise`: `.execute(db).await?.exactly_one_row(DbError::Stale)`.
    fn exactly_one_row(self, otherwise: DbError) -> Result<(), DbError>;
}

impl ExactlyOne for PgQueryResult {
    fn exactly_one_row(self, otherwise: DbError) -> Result<(), DbError> {
        if self.rows_affected() == 1 {
            Ok(())
        } else {
            Err(otherwise)
        }
    }
}
