//! API keys: issued once, revoked for good.

use anyhow::{Context, bail};
use identity::{KeyId, Secret};
use secrecy::ExposeSecret;

use super::{Desk, find_account};

/// The secret's text, for the one time it is shown.
pub fn expose(secret: &Secret) -> &str {
    secret.expose_secret()
}

impl Desk {
    /// Issues a key pair for an account.
    ///
    /// # Errors
    /// No such account, or what the database says.
    pub async fn issue_key(&self, named: &str) -> anyhow::Result<(KeyId, Secret)> {
        let mut tx = self.begin().await?;
        let account = find_account(&mut tx, named).await?;
        let (key_id, secret) = identity::issue_key(&mut tx, &*self.ids, account, self.now()).await?;
        self.write_down(&mut tx, "issue_key", account.to_string(), key_id.to_string())
            .await?;
        tx.commit().await?;
        Ok((key_id, secret))
    }

    /// Makes a key useless, everywhere within a second.
    ///
    /// # Errors
    /// No such key, or one revoked before; or what the database says.
    pub async fn revoke_key(&self, named: &str) -> anyhow::Result<()> {
        let key_id =
            KeyId::parse(named).with_context(|| format!("{named} is no key id; it looks like DK… with 20 letters"))?;
        let mut tx = self.begin().await?;
        if !identity::revoke_key(&mut tx, &key_id, self.now()).await? {
            bail!("there is no key {key_id} in force: `daybook admin key list ACCOUNT` shows an account's keys");
        }
        self.write_down(&mut tx, "revoke_key", key_id.to_string(), String::new())
            .await?;
        tx.commit().await?;
        Ok(())
    }
}
