//! Both lists of migrations, each under the role that owns its database.

use anyhow::Context;
use db::PoolSettings;
use secrecy::ExposeSecret;
use sqlx::migrate::Migrator;

use crate::config::Settings;

/// Brings the product's database up to date, and the bundled exchange's where one is set.
pub async fn migrate(settings: &Settings) -> anyhow::Result<()> {
    let owner = settings.owner_database_url.as_ref().unwrap_or(&settings.database_url);
    apply("daybook", owner.expose_secret(), &db::MIGRATOR).await?;
    if let Some(exchange) = &settings.exchange_database_url {
        apply("exchange", exchange.expose_secret(), &exchange_sim::MIGRATOR).await?;
    }
    Ok(())
}

async fn apply(list: &str, url: &str, migrator: &Migrator) -> anyhow::Result<()> {
    let pool_settings = PoolSettings {
        max_connections: 1,
        ..PoolSettings::default()
    };
    let pool = db::connect(url, pool_settings)
        .await
        .with_context(|| format!("the {list} database cannot be reached"))?;
    db::migrate(&pool, migrator)
        .await
        .with_context(|| format!("the migrations of {list} do not apply"))?;
    pool.close().await;
    tracing::info!(
        list,
        migrations = migrator.iter().count(),
        "the {list} database is up to date"
    );
    Ok(())
}
