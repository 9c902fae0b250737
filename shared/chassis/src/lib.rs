//! What any process needs: configuration, telemetry, clock and ids, shutdown, health, HTTP.
//!
//! | module        | what                                                                    |
//! |---------------|-------------------------------------------------------------------------|
//! | `clock` `ids` | time, identifiers and randomness, passed in so that tests own them      |
//! | `step`        | a service's work as `step()`, and the loop around it                    |
//! | `batch`       | many callers, one worker, one answer each                               |
//! | `shutdown`    | first signal drains, second stops; a task that dies takes the process   |
//! | `health`      | `/livez`, `/readyz`, `/metrics`                                         |
//! | `http`        | the error body, strict extractors, request ids, `serve`                 |
//! | `http_client` | the one way to build a client                                           |
//! | `open_files`  | how many connections there may be                                       |
//! | `trace`       | spans that are sent to a collector, where one is set                    |
//! | `telemetry` `metrics` `config` `failpoint` | set-up, called once by the executable      |
//!
//! No brokerage words here: nothing in this crate knows what an order is.

pub mod batch;
pub mod clock;
pub mod config;
pub mod failpoint;
pub mod health;
pub mod http;
pub mod http_client;
pub mod ids;
pub mod metrics;
pub mod open_files;
pub mod shutdown;
pub mod step;
pub mod telemetry;
pub mod trace;

pub use clock::Clock;
pub use ids::Ids;
