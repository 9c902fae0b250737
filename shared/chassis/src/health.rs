//! Whether the process is ready, and the three addresses an operator asks: `/livez`, `/readyz`, `/metrics`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::json;

use crate::http::ApiError;
use crate::shutdown::Shutdown;

/// All gates of a process; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Name of each gate, and why it is closed if it is.
    gates: Mutex<BTreeMap<String, Option<String>>>,
    shutdown: OnceLock<Shutdown>,
}

/// One thing that has to be in order before the process is ready.
#[derive(Debug, Clone)]
pub struct Gate {
    health: Health,
    name: String,
}

impl Health {
    /// Without gates: ready.
    pub fn new() -> Self {
        Health::default()
    }

    /// Adds a gate, closed with the reason "starting".
    pub fn gate(&self, name: impl Into<String>) -> Gate {
        let gate = Gate {
            health: self.clone(),
            name: name.into(),
        };
        gate.not_ready("starting");
        gate
    }

    /// Makes a draining process not ready, so that new work goes elsewhere.
    pub fn follow(&self, shutdown: &Shutdown) {
        // A second call names the same switch of the same process: the first one stands.
        let _ = self.0.shutdown.set(shutdown.clone());
    }

    /// True when every gate is open and the process does not drain.
    pub fn is_ready(&self) -> bool {
        self.closed().is_empty()
    }

    /// The closed gates and why.
    pub fn closed(&self) -> BTreeMap<String, String> {
        let draining = self.0.shutdown.get().is_some_and(Shutdown::is_draining);
        let draining = draining.then(|| ("shutdown".to_owned(), "draining".to_owned()));
        let gates = self.gates();
        let closed = gates
            .iter()
            .filter_map(|(name, why)| Some((name.clone(), why.clone()?)));
        closed.chain(draining).collect()
    }

    fn gates(&self) -> MutexGuard<'_, BTreeMap<String, Option<String>>> {
        self.0.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    /// Opens it.
    pub fn ready(&self) {
        self.set(None);
    }

    /// Closes it, and says why.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()));
    }

    fn set(&self, closed: Option<String>) {
        let before = self.health.gates().insert(self.name.clone(), closed.clone());
        if before.as_ref() != Some(&closed) {
            tracing::info!(
                gate = self.name,
                "{} is {}",
                self.name,
                closed.as_deref().unwrap_or("ready")
            );
        }
    }
}

/// `/livez`: the process answers. `/readyz`: it can do its work. `/metrics`: Prometheus text.
pub fn ops_router(health: Health) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn livez() -> Json<serde_json::Value> {
    Json(json!({ "status": "alive" }))
}

async fn readyz(State(health): State<Health>) -> Response {
    let closed = health.closed();
    if closed.is_empty() {
        return Json(json!({ "status": "ready" })).into_response();
    }
    let reasons: Vec<String> = closed.iter().map(|(name, why)| format!("{name} ({why})")).collect();
    ApiError::unavailable(format!("not ready: {}", reasons.join(", ")), 1)
        .with("not_ready", json!(closed))
        .into_response()
}

async fn metrics() -> Response {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        crate::metrics::render(),
    )
        .into_response()
}
