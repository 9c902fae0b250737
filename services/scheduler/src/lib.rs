//! Runs jobs that ask; they never move an order themselves.
