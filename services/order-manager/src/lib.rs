//! The client's door: place, cancel, orders, account, positions.
