//! Why a connection ends.

use axum::extract::ws::{CloseCode, CloseFrame, close_code};

/// A connection's end, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub(super) enum End {
    /// The client went away, or closed.
    Gone,
    /// All that was asked for has been sent.
    Complete,
    /// The process stops; another one, or the next start, goes on.
    Stopping,
    /// It did not say in time who it is.
    Nameless,
    /// The key pair is not right.
    Unauthorized,
    /// Too many connections of this key, or too many wrong keys from this address, in a short time.
    Limited,
    /// The key was revoked while it was open.
    Revoked,
    /// There are too many of this account.
    Crowded,
    /// It does not read what it is sent, or not fast enough.
    Slow,
    /// It does not answer pings.
    Silent,
    /// Too many frames that nobody understands.
    Garbage,
    /// A message or frame beyond the limit.
    TooBig,
    /// Text that is not UTF-8.
    NotText,
    /// Against the protocol.
    Malformed,
    /// Keys or events cannot be read now.
    Unavailable,
    /// Something stored cannot be understood.
    Broken,
}

impl End {
    /// The word of the metric.
    pub(super) fn word(self) -> &'static str {
        self.into()
    }

    /// What the other side is told; nothing when it is not there any more.
    pub(super) fn told(self) -> Option<(CloseCode, &'static str)> {
        Some(match self {
            End::Gone => return None,
            End::Complete => (close_code::NORMAL, "complete"),
            End::Stopping => (close_code::AWAY, "the server is stopping, connect again"),
            End::Nameless => (close_code::POLICY, "not authenticated in time"),
            End::Unauthorized => (close_code::POLICY, "not authorized"),
            End::Limited => (close_code::POLICY, "rate limit exceeded"),
            End::Revoked => (close_code::POLICY, "the key was revoked"),
            End::Crowded => (close_code::POLICY, "too many connections of this account"),
            End::Slow => (close_code::POLICY, "slow reader, connect again and resume by since_id"),
            End::Silent => (close_code::POLICY, "pings were not answered"),
            End::Garbage => (close_code::POLICY, "too many frames that cannot be read"),
            End::TooBig => (close_code::SIZE, "message too big"),
            End::NotText => (close_code::INVALID, "text is not UTF-8"),
            End::Malformed => (close_code::PROTOCOL, "against the WebSocket protocol"),
            End::Unavailable => (close_code::AGAIN, "the database is away, connect again"),
            End::Broken => (close_code::ERROR, "internal error"),
        })
    }

    /// The WebSocket's last frame.
    pub(super) fn frame(self) -> Option<CloseFrame> {
        let (code, reason) = self.told()?;
        let reason = reason.into();
        Some(CloseFrame { code, reason })
    }
}

/// Counts it.
pub(super) fn count(end: End) {
    metrics::counter!("daybook_order_manager_stream_ends_total", "why" => end.word()).increment(1);
}

#[cfg(test)]
mod tests {
    use strum::VariantArray;

    use super::*;

    #[test]
    fn every_end_but_the_clients_own_is_told_in_words_that_fit_a_close_frame() {
        for end in End::VARIANTS {
            let told = end.told();
            assert_eq!(told.is_none(), *end == End::Gone, "{end:?}");
            assert!(told.is_none_or(|(_, reason)| reason.len() <= 123), "{end:?}");
        }
    }
}
