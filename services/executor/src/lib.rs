//! Takes accepted orders and cancels to the venue, once each.
