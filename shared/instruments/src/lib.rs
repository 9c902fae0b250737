//! What can be traded and what it last cost: assets and last quotes.
