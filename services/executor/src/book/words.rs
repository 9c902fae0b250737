//! The venue's words in the words of the bus.

use domain::order::EndKind;
use wire::events::v1::End;

/// An end, as reports carry it.
pub const fn end_of(kind: EndKind) -> End {
    match kind {
        EndKind::Canceled => End::Canceled,
        EndKind::Expired => End::Expired,
        EndKind::Rejected => End::Rejected,
        EndKind::Replaced => End::Replaced,
    }
}
