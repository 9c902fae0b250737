//! Trade updates over a real connection.

mod limits;
mod rough;
mod sse;
mod turns;
mod ws;
