//! What any process needs: configuration, telemetry, clock and ids, shutdown, health, HTTP.
