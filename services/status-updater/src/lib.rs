//! The only one that moves an order after acceptance.
