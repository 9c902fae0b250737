//! The domain's rules as tables and properties: no I/O, no clock.

mod calendar;
