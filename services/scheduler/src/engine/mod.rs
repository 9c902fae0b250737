//! The job scheduler.
//!
//! | module    | what                                                                     |
//! |-----------|--------------------------------------------------------------------------|
//! | `job`     | what a job is: the trait, its run, how an attempt ends                    |
//! | `alerts`  | what an operator has to know                                              |

pub mod alerts;
pub mod job;

pub use job::{Done, Job, JobError, Run};
