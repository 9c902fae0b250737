//! A process that dies at a failpoint. A failpoint counts for its whole process, so the one that dies is a process of its own:
//! the same test binary again, told to run only one ignored test, named `child_…`.

use std::process::Command;

/// Runs the ignored test `child` in a process of its own, with a panic at `point` and these variables.
///
/// # Panics
/// When it ends otherwise than at `point`.
pub fn dies_at(child: &str, point: &str, environment: &[(&str, &str)]) {
    let victim = Command::new(std::env::current_exe().expect("a test binary knows where it is"))
        .args(["--exact", child, "--ignored", "--nocapture"])
        .envs(environment.iter().copied())
        .env("FAILPOINTS", format!("{point}=panic"))
        .output()
        .expect("a test binary can be run again");
    let said = String::from_utf8_lossy(&victim.stderr);
    assert!(
        said.contains(point),
        "the victim ended otherwise than at {point}: {said}"
    );
    assert!(!victim.status.success());
}

/// Makes a panic of this process like kill -9: nothing is unwound, nothing is said to the database.
pub fn abort_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        std::process::abort();
    }));
}
