//! The exchange as the brokerage sees it: trait, Alpaca-dialect adapter, scripted fake.
