//! How the exchange got the orders of a night: when, and in which order, beside the order of the bus (TIF-8).

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use db::{DbError, PgPool};
use domain::Timestamp;

/// One order at the exchange.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Its symbol.
    pub symbol: String,
    /// Its place in the bus.
    pub filed: (i64, i64),
    /// By the exchange's clock.
    pub at: Timestamp,
}

/// How many orders the exchange has.
///
/// # Errors
/// What the database says.
pub async fn count(exchange: &PgPool) -> Result<u64, DbError> {
    let count: i64 = sqlx::query_scalar("select count(*) from sim_orders")
        .fetch_one(exchange)
        .await?;
    Ok(count.unsigned_abs())
}

/// All orders of the exchange, as they came.
///
/// # Errors
/// What the databases say; an order that Daybook never sent.
pub async fn read(daybook: &PgPool, exchange: &PgPool) -> anyhow::Result<Vec<Arrival>> {
    let filed = sqlx::query!(r#"select order_id::text as "key!", filed_xid, filed_id from venue_submissions"#)
        .fetch_all(daybook)
        .await?;
    let filed: HashMap<String, (i64, i64)> = filed
        .into_iter()
        .map(|row| (row.key, (row.filed_xid, row.filed_id)))
        .collect();
    let orders: Vec<(String, String, Timestamp)> =
        sqlx::query_as("select client_order_id, symbol, submitted_at from sim_orders order by order_no")
            .fetch_all(exchange)
            .await?;
    let arrival = |(key, symbol, at): (String, String, Timestamp)| {
        let filed = *filed.get(&key).context("the exchange has an order that nobody sent")?;
        Ok(Arrival { symbol, filed, at })
    };
    orders.into_iter().map(arrival).collect()
}

/// By how many later orders of its symbol any order was overtaken, at most.
pub fn largest_displacement(arrivals: &[Arrival]) -> usize {
    let mut by_symbol: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
    for arrival in arrivals {
        by_symbol.entry(&arrival.symbol).or_default().push(arrival.filed);
    }
    by_symbol
        .into_values()
        .map(|filed| most_overtaken(&filed))
        .max()
        .unwrap_or(0)
}

/// For each place its rank, then how many of higher rank came before it.
fn most_overtaken(filed: &[(i64, i64)]) -> usize {
    let mut sorted = filed.to_vec();
    sorted.sort_unstable();
    let mut came = Sums(vec![0; filed.len() + 1]);
    let mut most = 0;
    for (before, place) in filed.iter().enumerate() {
        let rank = sorted.partition_point(|other| other < place);
        most = most.max(before - came.up_to(rank));
        came.add(rank);
    }
    most
}

/// Counts by rank, with quick sums (a Fenwick tree).
struct Sums(Vec<usize>);

impl Sums {
    fn add(&mut self, rank: usize) {
        let mut at = rank + 1;
        while at < self.0.len() {
            self.0[at] += 1;
            at += at & at.wrapping_neg();
        }
    }

    /// How many below this rank.
    fn up_to(&self, rank: usize) -> usize {
        let (mut at, mut sum) = (rank, 0);
        while at > 0 {
            sum += self.0[at];
            at &= at - 1;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    //! Who was overtaken by how many.
    use super::*;

    fn displacement(arrivals: &[(&str, i64)]) -> usize {
        let at = "2026-11-23T14:30:00Z".parse().expect("a time");
        let arrival = |(symbol, place): &(&str, i64)| Arrival {
            symbol: (*symbol).to_owned(),
            filed: (*place, 0),
            at,
        };
        largest_displacement(&arrivals.iter().map(arrival).collect::<Vec<_>>())
    }

    #[test]
    fn an_order_is_displaced_by_the_later_ones_that_came_before_it() {
        assert_eq!(displacement(&[("A", 1), ("A", 2), ("A", 3)]), 0);
        assert_eq!(displacement(&[("A", 2), ("A", 3), ("A", 1)]), 2);
        assert_eq!(
            displacement(&[("A", 3), ("A", 2), ("A", 1)]),
            2,
            "not 3: one of them is itself"
        );
        assert_eq!(
            displacement(&[("A", 2), ("B", 9), ("A", 1), ("B", 3)]),
            1,
            "each symbol by itself"
        );
        assert_eq!(displacement(&[]), 0);
    }
}
