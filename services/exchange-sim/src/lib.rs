//! The bundled exchange: price-time matching, sessions, a trade stream, faults on request.
