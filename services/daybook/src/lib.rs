//! The executable and composition root.
