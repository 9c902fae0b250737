//! Who is calling: account holders and their API keys.
