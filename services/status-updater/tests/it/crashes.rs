//! The crash points of this service: stopped there, nothing half is left, and the next try ends the same.
