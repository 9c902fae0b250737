//! The event log: outbox, cursors, leases, parking.
