//! Where in a trace something was caused, as the W3C writes it (Trace Context, `traceparent`).

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};

/// `00-<trace id>-<span id>-01`.
const LENGTH: usize = 55;

/// A place in a trace that is recorded. What is not recorded has none, so that it costs nothing further on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceContext {
    trace_id: NonZeroU128,
    span_id: NonZeroU64,
}

impl TraceContext {
    /// Reads a `traceparent` that this product wrote. None for any other text, and for a trace that is not recorded: a
    /// broken one loses a trace and stops no order.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != LENGTH || !text.bytes().all(is_plain) {
            return None;
        }
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version != "00" || trace.len() != 32 || span.len() != 16 || parts.next().is_some() {
            return None;
        }
        let is_recorded = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        let trace_id = NonZeroU128::new(u128::from_str_radix(trace, 16).ok()?)?;
        let span_id = NonZeroU64::new(u64::from_str_radix(span, 16).ok()?)?;
        is_recorded.then_some(TraceContext { trace_id, span_id })
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.trace_id, self.span_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_context_is_written_as_it_was_read() {
        let context = TraceContext::parse(GOOD).expect("the example of the standard");
        assert_eq!(context.to_string(), GOOD);
        let small = "00-00000000000000000000000000000001-0000000000000001-01";
        assert_eq!(
            TraceContext::parse(small).expect("small numbers").to_string(),
            small,
            "with its zeros"
        );
    }

    #[test]
    fn what_is_no_context_of_ours_is_none() {
        for text in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333--01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0é",
        ] {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
    }
}
