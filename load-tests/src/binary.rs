//! The release binary that is measured, built on demand.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use serde::Deserialize;
use tokio::process::Command;

use crate::cli::Common;

/// The project's folder.
pub fn project() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The path of a fresh `daybook`, one that knows Kafka if need be, or of the one that was named.
///
/// # Errors
/// It cannot be built, or is not there.
pub async fn daybook(options: &Common, with_kafka: bool) -> anyhow::Result<PathBuf> {
    if let Some(binary) = &options.binary {
        return binary.canonicalize().with_context(|| binary.display().to_string());
    }
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "-p", "daybook"]);
    if with_kafka {
        build.args(["--features", "kafka"]);
    }
    if std::env::var_os("DATABASE_URL").is_none() {
        build.env("SQLX_OFFLINE", "true");
    }
    let built = build
        .stdout(Stdio::null())
        .status()
        .await
        .context("cargo cannot be run")?;
    ensure!(built.success(), "daybook does not build");
    Ok(target_folder().await?.join("release/daybook"))
}

#[derive(Deserialize)]
struct Metadata {
    target_directory: PathBuf,
}

/// Where cargo builds, whatever variable or file of configuration says so.
async fn target_folder() -> anyhow::Result<PathBuf> {
    let asked = cargo()
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .await?;
    ensure!(
        asked.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&asked.stderr)
    );
    Ok(serde_json::from_slice::<Metadata>(&asked.stdout)?.target_directory)
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(project()).kill_on_drop(true);
    cargo
}
