//! Benchmarks over the wire.

fn main() {}
