//! What travels on the bus: versioned JSON payloads, one module a version.
//!
//! | topic | key | events |
//! |---|---|---|
//! | `orders` | symbol | [`v1::OrderAccepted`], [`v1::CancelRequested`], [`v1::RejectRequested`], [`v1::LookUpRequested`] |
//! | `venue-reports` | account | [`v1::VenueReport`] |
//! | `order-updates` | account | [`v1::OrderUpdated`] |

pub mod v1;
