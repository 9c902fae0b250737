//! All that is stored, but for what names one account.

use std::collections::BTreeMap;

use crate::house::{Customer, House};

/// Each table's rows: how many, and a digest.
pub type Books = BTreeMap<String, (i64, String)>;

/// What is stored in any table. Rows that name `except` are left out: what it does may change them and no others.
pub async fn books(house: &House, except: &Customer) -> Books {
    let each: Vec<String> = sqlx::query_scalar(
        "select format('select %L, count(*), md5(coalesce(string_agg(r::text, chr(10) order by r::text), '''')) from %I r
                         where strpos(r::text, $1) = 0', relname, relname)
           from pg_class
          where relkind = 'r'
            and relnamespace = 'public'::regnamespace",
    )
    .fetch_all(house.pool())
    .await
    .unwrap();
    let rows: Vec<(String, i64, String)> = sqlx::query_as(sqlx::AssertSqlSafe(each.join(" union all ")))
        .bind(except.account.to_string())
        .fetch_all(house.pool())
        .await
        .unwrap();
    rows.into_iter()
        .map(|(table, rows, digest)| (table, (rows, digest)))
        .collect()
}
