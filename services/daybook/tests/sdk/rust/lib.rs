//! Nothing: the suite is in tests/apca.rs.
