//! Sessions as data.
