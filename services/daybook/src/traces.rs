//! Where spans go, by the settings.

use chassis::config::ConfigError;
use chassis::ids::SharedIds;
use chassis::trace::{TraceSettings, Tracer};
use rust_decimal::Decimal;

use crate::compose::Part;
use crate::config::{Settings, bad};

/// Checks the settings of traces.
///
/// # Errors
/// The bad setting by its name.
pub(crate) fn check(settings: &Settings) -> Result<(), ConfigError> {
    let endpoint = settings.otlp_endpoint.as_deref().unwrap_or("http://");
    if !(endpoint.starts_with("http://") || endpoint.starts_with("https://")) {
        return Err(bad("OTLP_ENDPOINT", "must begin with http:// or https://"));
    }
    if !(Decimal::ZERO..=Decimal::ONE).contains(&settings.trace_sampling) {
        return Err(bad(
            "TRACE_SAMPLING",
            format!("{} is not between 0 and 1", settings.trace_sampling),
        ));
    }
    Ok(())
}

/// What makes the spans of a process; off where no endpoint is set.
pub(crate) fn of(settings: &Settings, part: Part, ids: &SharedIds) -> anyhow::Result<Tracer> {
    let Some(endpoint) = &settings.otlp_endpoint else {
        return Ok(Tracer::default());
    };
    let instance = settings.instance.clone();
    let tracer = Tracer::start(&TraceSettings {
        endpoint: endpoint.clone(),
        sampling: settings.trace_sampling.to_string(),
        service: format!("daybook-{}", part.name()),
        instance: instance.unwrap_or_else(|| ids.uuid().to_string()),
    })?;
    tracing::info!("traces go to {endpoint}");
    Ok(tracer)
}
