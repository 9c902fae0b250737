//! Calls the operator's webhook: a `POST` of JSON for each alert, at least once under the alert's id, again after a pause
//! while the target does not take it. Nothing waits for it, and a target that fails is an alert of its own.

use std::time::Duration;

use chassis::http_client::{ClientSettings, client};
use chassis::ids::SharedIds;
use chassis::step::{Progress, Step, StepError};
use db::{DbError, PgConnection, PgPool};
use domain::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tracing::{info, warn};
use uuid::Uuid;

use super::alert_kinds::WEBHOOK_FAILING;
use super::alerts::{self, NewAlert};
use super::job::backoff;

/// The pause after a first failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// So many failures of one alert make the webhook itself an alert.
const FAILING_AFTER: i32 = 5;
/// What the alert about the webhook is about.
const SUBJECT: &str = "operator webhook";

/// The step that delivers one alert.
pub struct Webhook {
    pool: PgPool,
    ids: SharedIds,
    url: SecretString,
    http: reqwest::Client,
}

/// What the target gets.
#[derive(Debug, Serialize)]
struct Message {
    alert_id: Uuid,
    kind: String,
    subject: String,
    message: String,
    raised_at: Timestamp,
    #[serde(skip)]
    deliveries: i32,
}

impl Webhook {
    /// Delivers to this address.
    pub fn new(pool: PgPool, ids: SharedIds, url: SecretString) -> Self {
        Webhook {
            pool,
            ids,
            url,
            http: client(ClientSettings::default()),
        }
    }

    /// The alert that waits for longest, hidden from other processes for as long as a call may take.
    async fn next(&self) -> Result<Option<Message>, DbError> {
        let next = sqlx::query_as!(
            Message,
            "update operator_alerts
                set deliveries = deliveries + 1, deliver_after = daybook_now() + interval '30 seconds'
              where alert_id = (select alert_id
                                  from operator_alerts
                                 where delivered_at is null
                                   and acked_at is null
                                   and cleared_at is null
                                   and deliver_after <= daybook_now()
                                 order by deliver_after
                                 limit 1
                                   for update skip locked)
          returning alert_id, kind, subject, message, raised_at, deliveries",
        );
        Ok(next.fetch_optional(&self.pool).await?)
    }

    /// What kept the target from taking it, without the address: that may hold a secret.
    async fn call(&self, message: &Message) -> Result<(), String> {
        let sent = self.http.post(self.url.expose_secret()).json(message).send().await;
        let answer = sent.map_err(|error| StepError::from(error.without_url()).to_string())?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(format!("it answered {}", answer.status()))
    }

    async fn note(&self, message: &Message, outcome: Result<(), String>) -> Result<(), DbError> {
        let mut tx = db::begin(&self.pool).await?;
        let now = db::database_time(&mut tx).await?;
        match outcome {
            Ok(()) => {
                delivered(&mut tx, message, now).await?;
                alerts::clear(&mut tx, WEBHOOK_FAILING, SUBJECT, now).await?;
            }
            Err(why) => self.failed(&mut tx, message, &why, now).await?,
        }
        tx.commit().await?;
        Ok(())
    }

    async fn failed(
        &self,
        conn: &mut PgConnection,
        message: &Message,
        why: &str,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let jitter = |below| self.ids.jitter(below);
        let pause = backoff(message.deliveries, FIRST_PAUSE, LONGEST_PAUSE, jitter);
        sqlx::query!(
            "update operator_alerts
                set delivery_error = $2, deliver_after = $3::timestamptz + $4::bigint * interval '1 millisecond'
              where alert_id = $1",
            message.alert_id,
            why,
            now,
            i64::try_from(pause.as_millis()).unwrap_or(i64::MAX),
        )
        .execute(&mut *conn)
        .await?;
        if message.deliveries == FAILING_AFTER && message.kind != WEBHOOK_FAILING {
            let alert = NewAlert {
                kind: WEBHOOK_FAILING,
                subject: SUBJECT.to_owned(),
                message: format!(
                    "{FAILING_AFTER} calls for alert {} failed, the last one so: {why}",
                    message.alert_id
                ),
            };
            alerts::raise(conn, &alert, now).await?;
        }
        Ok(())
    }
}

async fn delivered(conn: &mut PgConnection, message: &Message, now: Timestamp) -> Result<(), DbError> {
    sqlx::query!(
        "update operator_alerts set delivered_at = $2, delivery_error = null where alert_id = $1",
        message.alert_id,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

impl Step for Webhook {
    fn name(&self) -> &'static str {
        "scheduler-webhook"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        let Some(message) = self.next().await? else {
            return Ok(Progress::Idle);
        };
        let outcome = self.call(&message).await;
        let word = if outcome.is_ok() { "delivered" } else { "failed" };
        metrics::counter!("daybook_scheduler_webhook_total", "outcome" => word).increment(1);
        match &outcome {
            Ok(()) => info!(alert.id = %message.alert_id, "the operator's webhook took {}", message.kind),
            Err(why) => {
                warn!(alert.id = %message.alert_id, "the operator's webhook did not take {}: {why}", message.kind)
            }
        }
        self.note(&message, outcome).await?;
        Ok(Progress::Worked)
    }
}
