//! The topics, and which partition a key belongs to.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// Partitions of every topic. Stored in each row, so it cannot change while rows are unread.
pub const PARTITIONS: i16 = 16;

/// A stream of events with one kind of key.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Topic {
    /// Orders and wishes, from order-manager to the executor; key: symbol.
    Orders,
    /// What venues said, to status-updater; key: account.
    VenueReports,
    /// Pointers to `order_events`, for streams and notifications; key: account.
    OrderUpdates,
}

impl Topic {
    /// The name in rows, metrics and at a broker.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Place in [`Topic::VARIANTS`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// The partition of a key: CRC-32 (ISO-HDLC, the one of zip and of librdkafka's `consistent` partitioner) of its
/// bytes, modulo [`PARTITIONS`].
///
/// Rows keep the number and engines are told it, so this must never change; a test pins it.
pub fn partition_of(key: &str) -> i16 {
    let partitions = PARTITIONS.unsigned_abs();
    let rest = crc32(key.as_bytes()) % u32::from(partitions);
    i16::try_from(rest).expect("a remainder below the number of partitions")
}

/// Bit by bit: keys are short, and a table would be longer than the loop.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_zip() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the check value of CRC-32/ISO-HDLC");
        assert_eq!(crc32(b""), 0);
    }

    /// Computed by another program (zlib). If this fails, stored rows and both engines no longer agree.
    #[test]
    fn the_partition_of_a_key_never_changes() {
        let pinned = [
            ("", 0),
            ("AAPL", 12),
            ("F", 8),
            ("BRK.B", 12),
            ("01234567-89ab-7cde-8f01-23456789abcd", 12),
            ("123456789", 6),
        ];
        for (key, partition) in pinned {
            assert_eq!(partition_of(key), partition, "of {key:?}");
        }
    }

    #[test]
    fn keys_spread_over_all_partitions() {
        let mut counts = [0; 16];
        for n in 0..16_000_u128 {
            let key = uuid::Uuid::from_u128((0x019a_bc00 << 96) | n).to_string();
            counts[usize::try_from(partition_of(&key)).expect("not negative")] += 1;
        }
        assert!(counts.iter().all(|n| (900..1_100).contains(n)), "{counts:?}");
    }

    #[test]
    fn names_of_topics_are_read_back() {
        for topic in <Topic as strum::VariantArray>::VARIANTS {
            assert_eq!(topic.as_str().parse(), Ok(*topic));
        }
        assert_eq!(Topic::VenueReports.as_str(), "venue-reports");
    }
}
