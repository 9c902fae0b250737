//! Whose bucket a request takes from.

use std::sync::Arc;
use std::time::Duration;

use chassis::clock::ManualClock;
use identity::limits::{Rates, UNLIMITED, Usual};
use uuid::Uuid;

use super::*;

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

fn meter(settings: LimitSettings) -> (Meter, Arc<ManualClock>) {
    let clock = testkit::clock();
    (
        Meter::new(settings.clone(), Limits::new(settings.usual), clock.clone()),
        clock,
    )
}

fn small() -> LimitSettings {
    LimitSettings {
        usual: Usual {
            rates: Rates::per_minute(3),
            ..Usual::default()
        },
        strangers: Rate::per_minute(2),
        ..LimitSettings::default()
    }
}

fn caller(n: u128) -> Caller {
    let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let digits = (0..18).map(|digit| char::from(letters[usize::try_from((n >> (5 * digit)) % 32).unwrap_or(0)]));
    Caller {
        account: AccountId::new(Uuid::from_u128(n)),
        key_id: KeyId::parse(&"DK".chars().chain(digits).collect::<String>()).expect("twenty letters"),
        tier: Tier::default(),
    }
}

#[test]
fn rsk_7_each_class_has_a_bucket_of_its_own() {
    let (meter, _) = meter(small());
    let ada = caller(1);
    assert_eq!(
        meter.known(&ada.key_id, "secret", Class::Read, HOME),
        None,
        "a stranger so far"
    );
    let left = |class| {
        let measured = meter.welcome(&ada, "secret", class, HOME);
        measured.passes().then_some(measured.standing.remaining)
    };
    let reads: Vec<_> = (0..4).map(|_| left(Class::Read)).collect();
    assert_eq!(reads, [Some(2), Some(1), Some(0), None]);
    assert_eq!(left(Class::OrderEntry), Some(2));
    assert_eq!(left(Class::Cancel), Some(14), "cancels never compete with anything");
}

#[test]
fn a_wrong_secret_never_takes_from_the_keys_bucket() {
    let (meter, _) = meter(small());
    let ada = caller(1);
    meter.welcome(&ada, "secret", Class::Read, HOME);
    assert_eq!(meter.known(&ada.key_id, "guess", Class::Read, HOME), None);
    meter.turned_away(Some(&ada.key_id), "guess", HOME);
    let known = meter
        .known(&ada.key_id, "secret", Class::Read, HOME)
        .expect("known still");
    assert_eq!(known.standing.remaining, 1);
    meter.turned_away(Some(&ada.key_id), "secret", HOME);
    assert_eq!(
        meter.known(&ada.key_id, "secret", Class::Read, HOME),
        None,
        "it was revoked"
    );
}

#[test]
fn rsk_7_a_new_key_for_each_guess_empties_one_bucket_and_takes_no_memory() {
    let (meter, clock) = meter(small());
    let mut let_in = 0;
    for n in 0..10_000 {
        if meter.stranger(HOME).passes() {
            let_in += 1;
            meter.turned_away(Some(&caller(n).key_id), "guess", HOME);
        }
    }
    assert_eq!((let_in, meter.sizes()), (2, [0, 1]));
    assert!(meter.stranger(ELSEWHERE).passes(), "others are not meant");
    clock.advance(Duration::from_secs(30));
    assert!(meter.stranger(HOME).passes(), "one more after half a minute");
}

#[test]
fn a_customer_beside_a_stranger_of_the_same_address_goes_on() {
    let (meter, _) = meter(small());
    let ada = caller(1);
    meter.welcome(&ada, "secret", Class::Read, HOME);
    for _ in 0..100 {
        meter.turned_away(None, "", HOME);
    }
    assert!(!meter.stranger(HOME).passes());
    let known = meter.known(&ada.key_id, "secret", Class::Read, HOME);
    assert!(known.is_some_and(|measured| measured.passes()));
}

#[test]
fn an_address_has_one_bucket_for_all_its_keys_but_not_for_cancels() {
    let (meter, _) = meter(LimitSettings {
        address: Rate::per_minute(5),
        ..small()
    });
    let passed = (0..10).filter(|n| meter.welcome(&caller(*n), "secret", Class::Read, HOME).passes());
    assert_eq!(passed.count(), 5);
    let refused = meter.welcome(&caller(11), "secret", Class::OrderEntry, HOME);
    assert_eq!((refused.passes(), refused.by), (false, By::Address));
    assert!(meter.welcome(&caller(11), "secret", Class::Cancel, HOME).passes());
    assert!(meter.welcome(&caller(11), "secret", Class::Read, ELSEWHERE).passes());
}

#[test]
fn rsk_10_what_a_key_asks_beyond_its_own_takes_nothing_from_its_neighbours() {
    let (meter, _) = meter(LimitSettings {
        address: Rate::per_minute(5),
        ..small()
    });
    for _ in 0..1_000 {
        meter.welcome(&caller(1), "secret", Class::Read, HOME);
    }
    assert!(meter.welcome(&caller(2), "secret", Class::Read, HOME).passes());
}

#[test]
fn more_addresses_than_there_is_room_for_share_one_bucket() {
    let (meter, _) = meter(LimitSettings {
        most_addresses: 80,
        ..small()
    });
    let address = |n: u32| IpAddr::V4(std::net::Ipv4Addr::from_bits(n));
    for n in 0..10_000 {
        meter.turned_away(None, "", address(n));
    }
    assert!(meter.sizes()[1] <= 160, "{:?}", meter.sizes());
    assert!(
        !meter.stranger(address(20_000)).passes(),
        "nobody gets out of it by another address"
    );
}

#[test]
fn an_address_of_version_6_is_its_network() {
    let (meter, _) = meter(small());
    let at = |text: &str| text.parse::<IpAddr>().expect("an address");
    for n in 0..10 {
        meter.turned_away(None, "", at(&format!("2001:db8::{n:x}")));
    }
    assert_eq!(meter.sizes(), [0, 1]);
    assert!(!meter.stranger(at("2001:db8::ffff:1")).passes());
    assert!(meter.stranger(at("2001:db8:0:1::1")).passes());
    meter.turned_away(None, "", at("::ffff:192.0.2.1"));
    assert_eq!(
        meter.stranger(HOME).standing.remaining,
        1,
        "one address, two ways to write it"
    );
}

#[test]
fn a_tier_without_limits_is_measured_by_nothing() {
    let (meter, _) = meter(LimitSettings {
        address: Rate::per_minute(1),
        ..small()
    });
    let ada = Caller {
        tier: Tier::new(UNLIMITED).expect("a word"),
        ..caller(1)
    };
    let all = (0..1_000).all(|_| meter.welcome(&ada, "secret", Class::OrderEntry, HOME).passes());
    assert!(all);
}

#[test]
fn what_is_known_of_a_refused_key_is_looked_at_again_twice_a_second() {
    let (meter, clock) = meter(small());
    let ada = caller(1);
    meter.welcome(&ada, "secret", Class::Read, HOME);
    assert!(!meter.is_due(&ada.key_id), "it was looked up just now");
    clock.advance(Duration::from_millis(500));
    assert!(meter.is_due(&ada.key_id));
    assert!(!meter.is_due(&ada.key_id), "once");
}

#[test]
fn keys_that_are_not_used_are_forgotten_after_an_hour() {
    let (meter, clock) = meter(small());
    for n in 0..1_000 {
        meter.welcome(&caller(n), "secret", Class::Read, HOME);
    }
    assert_eq!(meter.sizes()[0], 1_000);
    let tidied = || (0..100).for_each(|_| meter.tidy());
    clock.advance(Duration::from_secs(1_800));
    tidied();
    assert_eq!(meter.sizes(), [1_000, 0], "an address's full bucket says nothing");
    clock.advance(Duration::from_secs(1_801));
    tidied();
    assert_eq!(meter.sizes(), [0, 0]);
}

#[test]
fn no_two_key_ids_have_the_same_name() {
    let id = |text: &str| name(&KeyId::parse(text).expect("twenty letters"));
    let names = [
        "AAAAAAAAAAAAAAAAAAAA",
        "0AAAAAAAAAAAAAAAAAAA",
        "ZZZZZZZZZZZZZZZZZZZZ",
        "99999999999999999999",
    ]
    .map(id);
    let distinct: std::collections::HashSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}
