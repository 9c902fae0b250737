//! The adapter against a server that misbehaves, over real connections.

mod calls;
mod stream;
mod volumes;
