//! The copy in memory that every process reads.

use crate::store::{load_assets, load_quotes, load_volumes};
use crate::{Asset, AverageVolume, Quote};
use arc_swap::ArcSwap;
use db::{DbError, PgPool};
use domain::{AssetId, Symbol};
use std::collections::HashMap;
use std::sync::Arc;

/// Assets, last quotes and average volumes as they were at the last refresh. Cheap to clone; reading never waits.
#[derive(Clone, Default)]
pub struct Instruments {
    assets: Arc<ArcSwap<Assets>>,
    quotes: Arc<ArcSwap<HashMap<Symbol, Quote>>>,
    volumes: Arc<ArcSwap<HashMap<Symbol, AverageVolume>>>,
}

#[derive(Default)]
struct Assets {
    by_symbol: HashMap<Symbol, Arc<Asset>>,
    symbols: HashMap<AssetId, Symbol>,
}

impl Instruments {
    /// An empty copy: nothing is tradable until the first refresh.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes all of them as committed. Called every second or so; an error keeps the old copy.
    ///
    /// # Errors
    /// What the database says.
    pub async fn refresh(&self, pool: &PgPool) -> Result<(), DbError> {
        let mut conn = pool.acquire().await?;
        self.set_assets(load_assets(&mut conn).await?);
        self.set_quotes(load_quotes(&mut conn).await?);
        self.set_volumes(load_volumes(&mut conn).await?);
        Ok(())
    }

    /// Replaces the assets.
    pub fn set_assets(&self, assets: Vec<Asset>) {
        let symbols = assets.iter().map(|a| (a.asset_id, a.symbol.clone())).collect();
        let by_symbol = assets.into_iter().map(|a| (a.symbol.clone(), Arc::new(a))).collect();
        self.assets.store(Arc::new(Assets { by_symbol, symbols }));
    }

    /// Replaces the quotes.
    pub fn set_quotes(&self, quotes: Vec<Quote>) {
        self.quotes
            .store(Arc::new(quotes.into_iter().map(|q| (q.symbol.clone(), q)).collect()));
    }

    /// Replaces the average volumes.
    pub fn set_volumes(&self, volumes: Vec<AverageVolume>) {
        self.volumes
            .store(Arc::new(volumes.into_iter().map(|v| (v.symbol.clone(), v)).collect()));
    }

    /// The asset with this ticker.
    pub fn asset(&self, symbol: &Symbol) -> Option<Arc<Asset>> {
        self.assets.load().by_symbol.get(symbol).cloned()
    }

    /// The asset with this id.
    pub fn asset_by_id(&self, id: AssetId) -> Option<Arc<Asset>> {
        let assets = self.assets.load();
        assets
            .symbols
            .get(&id)
            .and_then(|symbol| assets.by_symbol.get(symbol))
            .cloned()
    }

    /// Every asset, by ticker.
    pub fn assets(&self) -> Vec<Arc<Asset>> {
        let mut all: Vec<Arc<Asset>> = self.assets.load().by_symbol.values().cloned().collect();
        all.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        all
    }

    /// Whether any asset is known yet: orders can be checked only then.
    pub fn is_loaded(&self) -> bool {
        !self.assets.load().by_symbol.is_empty()
    }

    /// The last quote of a symbol.
    pub fn quote(&self, symbol: &Symbol) -> Option<Quote> {
        self.quotes.load().get(symbol).cloned()
    }

    /// How much of a symbol trades, where anybody knows.
    pub fn average_volume(&self, symbol: &Symbol) -> Option<AverageVolume> {
        self.volumes.load().get(symbol).cloned()
    }
}
