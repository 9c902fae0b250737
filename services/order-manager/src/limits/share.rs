//! How much of a queue one account may take, so that it never fills it for the others (RSK-10).

use std::sync::Arc;

use dashmap::DashMap;
use domain::AccountId;

/// Who has how many places.
#[derive(Clone)]
pub(crate) struct Shares {
    most: usize,
    taken: Arc<DashMap<AccountId, usize>>,
}

/// One place; given back when it is dropped.
pub(crate) struct Share {
    account: AccountId,
    taken: Arc<DashMap<AccountId, usize>>,
}

impl Shares {
    /// So many places for each account.
    pub(crate) fn new(most: usize) -> Self {
        Shares {
            most: most.max(1),
            taken: Arc::default(),
        }
    }

    /// A place, if the account may have another one.
    pub(crate) fn take(&self, account: AccountId) -> Option<Share> {
        let mut taken = self.taken.entry(account).or_default();
        if *taken >= self.most {
            return None;
        }
        *taken += 1;
        Some(Share {
            account,
            taken: self.taken.clone(),
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.taken.remove_if_mut(&self.account, |_, taken| {
            *taken = taken.saturating_sub(1);
            *taken == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(n: u128) -> AccountId {
        AccountId::new(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn rsk_10_an_account_takes_its_share_and_no_more_and_gives_it_back() {
        let shares = Shares::new(2);
        let (first, second) = (shares.take(account(1)), shares.take(account(1)));
        assert!(first.is_some() && second.is_some());
        assert!(shares.take(account(1)).is_none(), "a third one is too many");
        assert!(shares.take(account(2)).is_some(), "another account has its own share");
        drop(first);
        assert!(shares.take(account(1)).is_some());
        drop(second);
        assert!(shares.taken.is_empty(), "nobody is remembered who has nothing");
    }
}
