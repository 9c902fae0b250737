//! The exchange's last quotes, in.
