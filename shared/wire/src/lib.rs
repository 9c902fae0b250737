//! Every byte others see: the client dialect (`rest`), bus events (`events`), stream frames.

pub mod events;
pub mod rest;
