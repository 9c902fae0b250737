//! A million keys fit into 200 MB (RSK-7). A process of its own, so that nobody else's memory is counted.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, Ipv4Addr};

use domain::AccountId;
use identity::accounts::Tier;
use identity::limits::{Class, Limits};
use identity::{Caller, KeyId};
use order_manager::limits::{LimitSettings, Meter};
use uuid::Uuid;

const KEYS: u32 = 1_000_000;
const MOST: usize = 200_000_000;

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1_024
}

fn caller(n: u32) -> Caller {
    Caller {
        account: AccountId::new(Uuid::from_u128(n.into())),
        key_id: KeyId::parse(&format!("DKLOAD{n:014}")).unwrap(),
        tier: Tier::default(),
    }
}

#[test]
fn rsk_7_a_million_keys_that_are_all_in_use_take_less_than_200_mb() {
    let settings = LimitSettings::default();
    let meter = Meter::new(settings.clone(), Limits::new(settings.usual), testkit::clock());
    let before = resident();
    for n in 0..KEYS {
        let home = IpAddr::V4(Ipv4Addr::from_bits(n % 10_000));
        assert!(meter.welcome(&caller(n), "secret", Class::OrderEntry, home).passes());
        meter.turned_away(None, "", IpAddr::V4(Ipv4Addr::from_bits(n)));
    }
    let taken = resident() - before;
    let [keys, addresses] = meter.sizes();
    println!(
        "{keys} keys and {addresses} addresses: {} bytes by their own count, {taken} of the process",
        meter.bytes()
    );
    assert!(keys > 990_000, "nearly all of them are remembered: {keys}");
    assert!(addresses <= 110_000, "{addresses}");
    assert!(taken < MOST, "{taken} bytes");
    for n in KEYS..KEYS + KEYS / 2 {
        meter.welcome(
            &caller(n),
            "secret",
            Class::OrderEntry,
            IpAddr::V4(Ipv4Addr::from_bits(n)),
        );
    }
    assert!(resident() - before < MOST, "half as many again take no more");
}
