//! Ports for processes that tests start and kill.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// The kernel gives what lies above these to outgoing connections (Linux: from 32768 on) and to who asks for any port.
const FIRST: u16 = 10_000;
const PORTS: u16 = 20_000;

/// A port of 127.0.0.1 nobody uses, and that nobody is given while its process is down between two starts. Test processes begin
/// at different places.
///
/// # Panics
/// When every port is taken.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let begin = std::process::id().wrapping_mul(97) % u32::from(PORTS);
    for _ in 0..PORTS {
        let step = begin + u32::from(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from(step % u32::from(PORTS)).expect("less than PORTS");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("every port from {FIRST} on is taken");
}
