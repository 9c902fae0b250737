//! How many connections there may be, and how many there are.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::AccountId;

use super::StreamSettings;
use super::end::{self, End};
use crate::error::StreamError;
use crate::limits::meter::network;

/// Lets connections in; clones share the count.
#[derive(Clone)]
pub(super) struct Door(Arc<Inner>);

struct Inner {
    settings: StreamSettings,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    all: usize,
    /// Those who have not said who they are.
    strangers: usize,
    /// The same, by where they come from.
    strangers_of: HashMap<IpAddr, usize>,
    of: HashMap<AccountId, usize>,
}

/// Whose a connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Nobody has said so yet; it comes from this address.
    Stranger(IpAddr),
    Account(AccountId),
}

impl Inside {
    /// It is not this one's any more.
    fn count_out(&mut self, whose: Whose) {
        match whose {
            Whose::Stranger(from) => {
                self.strangers -= 1;
                one_less(&mut self.strangers_of, &from);
            }
            Whose::Account(account) => one_less(&mut self.of, &account),
        }
    }
}

/// One more of this one's, unless it has so many.
fn one_more<K: Eq + Hash>(counts: &mut HashMap<K, usize>, whose: K, most: usize) -> bool {
    let count = counts.entry(whose).or_default();
    let has_room = *count < most;
    *count += usize::from(has_room);
    has_room
}

/// Who has none any more takes no memory.
fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, whose: &K) {
    if let Some(count) = counts.get_mut(whose) {
        *count -= 1;
        if *count == 0 {
            counts.remove(whose);
        }
    }
}

fn refusal(why: StreamError) -> StreamError {
    end::count(End::Crowded);
    why
}

/// One connection inside. Dropped, it is out.
pub(super) struct Visit {
    door: Door,
    protocol: &'static str,
    whose: Whose,
}

impl Door {
    pub(super) fn new(settings: StreamSettings) -> Self {
        Door(Arc::new(Inner {
            settings,
            inside: Mutex::default(),
        }))
    }

    /// Lets somebody in who has not said yet who it is. One address does not take the room of all the others.
    pub(super) fn enter(&self, protocol: &'static str, from: IpAddr) -> Result<Visit, StreamError> {
        let from = network(from);
        let mut inside = self.inside();
        let settings = &self.0.settings;
        if inside.all >= settings.connections || inside.strangers >= settings.strangers {
            return Err(refusal(StreamError::Full));
        }
        if !one_more(&mut inside.strangers_of, from, settings.strangers_per_address) {
            return Err(refusal(StreamError::AddressFull));
        }
        inside.strangers += 1;
        Ok(self.admit(&mut inside, protocol, Whose::Stranger(from)))
    }

    /// Lets somebody in whose key came with the request: however many strangers there are, they are not in its way.
    pub(super) fn enter_as(&self, protocol: &'static str, account: AccountId) -> Result<Visit, StreamError> {
        let mut inside = self.inside();
        let settings = &self.0.settings;
        if inside.all >= settings.connections {
            return Err(refusal(StreamError::Full));
        }
        if !one_more(&mut inside.of, account, settings.connections_per_account) {
            return Err(refusal(StreamError::AccountFull));
        }
        Ok(self.admit(&mut inside, protocol, Whose::Account(account)))
    }

    fn admit(&self, inside: &mut Inside, protocol: &'static str, whose: Whose) -> Visit {
        inside.all += 1;
        metrics::gauge!("daybook_order_manager_stream_connections_size", "protocol" => protocol).increment(1);
        Visit {
            door: self.clone(),
            protocol,
            whose,
        }
    }

    /// Nothing in here can be half done, so a poisoned lock is as good as another.
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visit {
    /// It says whose it is, once; false when that account has too many.
    #[must_use]
    pub(super) fn belongs_to(&mut self, account: AccountId) -> bool {
        if let Whose::Account(known) = self.whose {
            return known == account;
        }
        let mut inside = self.door.inside();
        if !one_more(&mut inside.of, account, self.door.0.settings.connections_per_account) {
            return false;
        }
        inside.count_out(self.whose);
        self.whose = Whose::Account(account);
        true
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut inside = self.door.inside();
        inside.all -= 1;
        inside.count_out(self.whose);
        metrics::gauge!("daybook_order_manager_stream_connections_size", "protocol" => self.protocol).decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn door() -> Door {
        Door::new(StreamSettings {
            connections: 3,
            connections_per_account: 1,
            strangers: 2,
            strangers_per_address: 2,
            ..StreamSettings::default()
        })
    }

    fn from(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    fn account(n: u128) -> AccountId {
        AccountId::new(Uuid::from_u128(n))
    }

    #[test]
    fn strangers_do_not_take_all_the_room() {
        let door = door();
        let (mut first, _second) = (
            door.enter("ws", from(1)).expect("room"),
            door.enter("ws", from(1)).expect("room"),
        );
        assert!(door.enter("ws", from(1)).is_err(), "two strangers are enough");
        assert!(first.belongs_to(account(1)));
        let mut third = door.enter("ws", from(1)).expect("one of them has said who it is");
        assert!(third.belongs_to(account(2)));
        assert!(door.enter("sse", from(1)).is_err(), "full");
    }

    #[test]
    fn an_account_has_its_share_and_gets_it_back() {
        let door = door();
        let (mut first, mut second) = (
            door.enter("ws", from(1)).expect("room"),
            door.enter("ws", from(1)).expect("room"),
        );
        assert!(first.belongs_to(account(1)));
        assert!(first.belongs_to(account(1)), "saying it twice changes nothing");
        assert!(!second.belongs_to(account(1)));
        drop(first);
        assert!(second.belongs_to(account(1)));
    }

    #[test]
    fn who_is_known_at_the_door_does_not_stand_in_line_with_strangers() {
        let door = door();
        let strangers = (
            door.enter("ws", from(1)).expect("room"),
            door.enter("ws", from(1)).expect("room"),
        );
        let known = door
            .enter_as("sse", account(1))
            .expect("there is room for those who are known");
        assert!(matches!(door.enter_as("sse", account(2)), Err(StreamError::Full)));
        drop(known);
        let known = door.enter_as("sse", account(2)).expect("it has left");
        drop(strangers);
        assert!(matches!(door.enter_as("ws", account(2)), Err(StreamError::AccountFull)));
        drop(known);
        assert!(door.enter_as("ws", account(2)).is_ok());
    }

    #[test]
    fn rsk_7_strangers_of_one_address_leave_room_for_those_of_another() {
        let door = Door::new(StreamSettings {
            strangers_per_address: 2,
            ..StreamSettings::default()
        });
        let (mut first, second) = (
            door.enter("ws", from(1)).expect("room"),
            door.enter("ws", from(1)).expect("room"),
        );
        assert!(matches!(door.enter("ws", from(1)), Err(StreamError::AddressFull)));
        let _other = door.enter("ws", from(2)).expect("another address is not concerned");
        assert!(first.belongs_to(account(1)));
        let third = door.enter("ws", from(1)).expect("one of them has said who it is");
        drop((second, third));
        assert_eq!(door.inside().strangers_of.len(), 1, "who has left takes no memory");
    }

    #[test]
    fn rsk_7_a_network_of_version_6_is_one_address() {
        let door = Door::new(StreamSettings {
            strangers_per_address: 1,
            ..StreamSettings::default()
        });
        let enter = |text: &str| door.enter("ws", text.parse().expect("an address"));
        let _first = enter("2001:db8::1").expect("room");
        assert!(matches!(enter("2001:db8::2"), Err(StreamError::AddressFull)));
        assert!(enter("2001:db8:0:1::1").is_ok());
    }
}
