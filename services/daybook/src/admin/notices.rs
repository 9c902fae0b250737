//! What a customer was told about orders.

use notifier::store::{StoredNotice, of_account};
use serde_json::json;

use super::show::print;
use super::table::table;
use super::{Desk, find_account};

/// An account's notices, newest first.
pub async fn notices(desk: &Desk, named: &str, limit: i64, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let account = find_account(&mut conn, named).await?;
    let notices = of_account(&mut conn, account, limit).await?;
    print(as_json, &json!(notices), || {
        let rows: Vec<Vec<String>> = notices.iter().map(row).collect();
        table(&["when", "kind", "title", "body", "order"], &rows)
    });
    Ok(())
}

fn row(notice: &StoredNotice) -> Vec<String> {
    vec![
        notice.created_at.to_string(),
        notice.kind.clone(),
        notice.title.clone(),
        notice.body.clone(),
        notice.order_id.to_string(),
    ]
}
