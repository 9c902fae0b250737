//! The ids others see, made from the exchange's own numbers.
//!
//! An id is a UUID (version 8): sixty bits of number, then sixty-two of a salt that this exchange's database drew once.
//! So ids sort in sequence order, need no index of their own, and never meet those of another exchange.

use uuid::{Builder, Uuid};

/// Keeps an order's ids apart from an execution's of the same number.
const ORDER: u64 = 0x6f72_6465_7200_0000;
const EXECUTION: u64 = 0x6578_6563_0000_0000;
/// The bits of the second half that are not the UUID's variant.
const TAIL: u64 = (1 << 62) - 1;

/// Turns numbers into ids and back.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    salt: u64,
}

impl Names {
    /// Names under the salt of one exchange.
    pub const fn new(salt: u64) -> Self {
        Self { salt }
    }

    /// The id of an order.
    pub fn order(self, no: i64) -> Uuid {
        compose(no, self.salt ^ ORDER)
    }

    /// The order's number, if the id is one of ours.
    pub fn order_no(self, id: Uuid) -> Option<i64> {
        Some(number(id)).filter(|no| self.order(*no) == id)
    }

    /// The id of an execution.
    pub fn execution(self, no: i64) -> Uuid {
        compose(no, self.salt ^ EXECUTION)
    }

    /// The execution's number, if the id is one of ours.
    pub fn execution_no(self, id: Uuid) -> Option<i64> {
        Some(number(id)).filter(|no| self.execution(*no) == id)
    }
}

/// The id of an instrument: the same for the same ticker everywhere.
pub fn asset_id(symbol: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, symbol.as_bytes())
}

fn compose(no: i64, tail: u64) -> Uuid {
    let no = u128::from(no.unsigned_abs());
    // 48 bits, the version, 12 bits: the builder overwrites the four bits between.
    let head = (no >> 12) << 80 | (no & 0xfff) << 64;
    Builder::from_custom_bytes((head | u128::from(tail & TAIL)).to_be_bytes()).into_uuid()
}

fn number(id: Uuid) -> i64 {
    let bits = id.as_u128();
    let no = (bits >> 80) << 12 | (bits >> 64) & 0xfff;
    i64::try_from(no).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    //! Numbers there and back.
    use super::*;

    #[test]
    fn an_id_gives_its_number_back_and_foreign_ids_give_none() {
        let (names, others) = (Names::new(7), Names::new(8));
        for no in [1, 4_095, 4_096, 5_000_000, 1 << 58] {
            assert_eq!(names.order_no(names.order(no)), Some(no));
            assert_eq!(names.execution_no(names.execution(no)), Some(no));
            assert_eq!(names.order_no(others.order(no)), None);
            assert_eq!(names.order_no(names.execution(no)), None);
        }
        assert_eq!(names.order_no(asset_id("AAPL")), None);
    }

    #[test]
    fn ids_sort_as_their_numbers_do() {
        let names = Names::new(u64::MAX);
        let ids: Vec<String> = [1, 2, 9, 10, 4_095, 4_096, 100_000]
            .map(|no| names.execution(no).to_string())
            .into();
        assert!(ids.is_sorted(), "{ids:?}");
    }
}
