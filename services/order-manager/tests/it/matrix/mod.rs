//! Every route against whoever it is not for: customers who name what is somebody else's, and people with no key that counts.
//!
//! | module   | what                                                                                        |
//! |----------|---------------------------------------------------------------------------------------------|
//! | `routes` | the matrix: each route, with requests that name something of another account                |
//! | `books`  | all that is stored, but for what names one account                                          |
//! | `others` | another account's ids are worth what ids are worth that nobody has, and change nothing      |
//! | `nobody` | no key, revoked, unknown, wrong: the same answer everywhere                                 |

mod books;
mod nobody;
mod others;
mod routes;
