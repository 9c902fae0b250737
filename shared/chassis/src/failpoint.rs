//! Failpoints: named places where a test stops the program. Nothing is left of them without the feature.

/// Arms the failpoints that the variable `FAILPOINTS` names, for the life of the process:
/// `FAILPOINTS='executor::intent_committed=panic'`. Without the feature it does nothing.
pub fn setup() {
    if fail::has_failpoints() {
        let armed = fail::FailScenario::setup();
        tracing::warn!(failpoints = ?fail::list(), "failpoints are armed, this is a test build");
        // Dropping it would disarm them.
        std::mem::forget(armed);
    }
}
