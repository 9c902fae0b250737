//! The domain's rules as tables and properties: no I/O, no clock.

mod calendar;
mod exceptions;
mod order_life;
mod order_permutations;
mod order_table;
mod script;
mod xnys;
