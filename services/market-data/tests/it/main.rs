//! The service on a real Postgres, with a scripted venue.
#![expect(clippy::unwrap_used, reason = "tests")]

mod volumes;
