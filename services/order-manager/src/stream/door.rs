//! How many connections there may be, and how many there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::AccountId;

use super::StreamSettings;
use super::end::{self, End};
use crate::error::StreamError;

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
    of: HashMap<AccountId, usize>,
}

impl Inside {
    /// One more of the account's, unless it has so many.
    fn count_in(&mut self, account: AccountId, most: usize) -> bool {
        let of = self.of.entry(account).or_default();
        let has_room = *of < most;
        *of += usize::from(has_room);
        has_room
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
    account: Option<AccountId>,
}

impl Door {
    pub(super) fn new(settings: StreamSettings) -> Self {
        Door(Arc::new(Inner {
            settings,
            inside: Mutex::default(),
        }))
    }

    /// Lets somebody in who has not said yet who it is.
    pub(super) fn enter(&self, protocol: &'static str) -> Result<Visit, StreamError> {
        let mut inside = self.inside();
        let settings = &self.0.settings;
        if inside.all >= settings.connections || inside.strangers >= settings.strangers {
            return Err(refusal(StreamError::Full));
        }
        inside.strangers += 1;
        Ok(self.admit(&mut inside, protocol, None))
    }

    /// Lets somebody in whose key came with the request: however many strangers there are, they are not in its way.
    pub(super) fn enter_as(&self, protocol: &'static str, account: AccountId) -> Result<Visit, StreamError> {
        let mut inside = self.inside();
        let settings = &self.0.settings;
        if inside.all >= settings.connections {
            return Err(refusal(StreamError::Full));
        }
        if !inside.count_in(account, settings.connections_per_account) {
            return Err(refusal(StreamError::AccountFull));
        }
        Ok(self.admit(&mut inside, protocol, Some(account)))
    }

    fn admit(&self, inside: &mut Inside, protocol: &'static str, account: Option<AccountId>) -> Visit {
        inside.all += 1;
        metrics::gauge!("daybook_order_manager_stream_connections_size", "protocol" => protocol).increment(1);
        Visit {
            door: self.clone(),
            protocol,
            account,
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
        if self.account.is_some() {
            return self.account == Some(account);
        }
        let mut inside = self.door.inside();
        if !inside.count_in(account, self.door.0.settings.connections_per_account) {
            return false;
        }
        inside.strangers -= 1;
        self.account = Some(account);
        true
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut inside = self.door.inside();
        inside.all -= 1;
        match self.account {
            None => inside.strangers -= 1,
            Some(account) => {
                if let Some(of) = inside.of.get_mut(&account) {
                    *of -= 1;
                    if *of == 0 {
                        inside.of.remove(&account);
                    }
                }
            }
        }
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
            ..StreamSettings::default()
        })
    }

    fn account(n: u128) -> AccountId {
        AccountId::new(Uuid::from_u128(n))
    }

    #[test]
    fn strangers_do_not_take_all_the_room() {
        let door = door();
        let (mut first, _second) = (door.enter("ws").expect("room"), door.enter("ws").expect("room"));
        assert!(door.enter("ws").is_err(), "two strangers are enough");
        assert!(first.belongs_to(account(1)));
        let mut third = door.enter("ws").expect("one of them has said who it is");
        assert!(third.belongs_to(account(2)));
        assert!(door.enter("sse").is_err(), "full");
    }

    #[test]
    fn an_account_has_its_share_and_gets_it_back() {
        let door = door();
        let (mut first, mut second) = (door.enter("ws").expect("room"), door.enter("ws").expect("room"));
        assert!(first.belongs_to(account(1)));
        assert!(first.belongs_to(account(1)), "saying it twice changes nothing");
        assert!(!second.belongs_to(account(1)));
        drop(first);
        assert!(second.belongs_to(account(1)));
    }

    #[test]
    fn who_is_known_at_the_door_does_not_stand_in_line_with_strangers() {
        let door = door();
        let strangers = (door.enter("ws").expect("room"), door.enter("ws").expect("room"));
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
}
