//! How much anybody may ask for, where no row of the database says otherwise: from the settings.

use chassis::config::ConfigError;
use identity::limits::{ChurnRule, Rate, Rates, Usual};
use order_manager::limits::LimitSettings;

use crate::config::Settings;

/// The limits as they are set.
///
/// # Errors
/// The bad setting by its name.
pub fn of(settings: &Settings) -> Result<LimitSettings, ConfigError> {
    let defaults = LimitSettings::default();
    let churn = match settings.churn_cancels_per_minute {
        Some(0) => None,
        Some(cancels_per_minute) => Some(ChurnRule {
            cancels_per_minute,
            ..ChurnRule::default()
        }),
        None => defaults.usual.churn,
    };
    let rate = |set: Option<u32>, default: Rate| set.map_or(default, Rate::per_minute);
    Ok(LimitSettings {
        usual: Usual {
            rates: match settings.requests_per_minute {
                Some(0) => Rates::UNLIMITED,
                Some(requests) => Rates::per_minute(requests),
                None => defaults.usual.rates,
            },
            churn,
        },
        strangers: rate(settings.stranger_requests_per_minute, defaults.strangers),
        address: rate(settings.address_requests_per_minute, defaults.address),
        trusted_proxies: settings.proxies()?,
        ..defaults
    })
}
