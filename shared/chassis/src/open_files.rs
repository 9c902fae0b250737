//! How many connections a process may have open.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the process' own limit of open files to what the system allows it, and says what that is; none: no limit.
///
/// The usual soft limit of 1,024 is for the sake of programs that use `select`; each customer who listens to a stream
/// is a connection.
pub fn raise() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files could not be raised: {error}");
    }
    getrlimit(Resource::Nofile).current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_highest_allowed() {
        assert_eq!(raise(), getrlimit(Resource::Nofile).maximum);
    }
}
