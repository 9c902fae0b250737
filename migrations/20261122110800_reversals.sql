-- owner: ledger
-- What a bust or a correction takes back: proceeds wait for settlement where the sale does, and a sale taken back after its
-- settlement must not hide another of the same day (BP-8, BP-10). Adds a nullable column, so older code keeps running; a
-- reversal booked by it names no trade, and what that trade brought counts as unsettled until it settles.
alter table ledger_trades
    add column reverses uuid;           -- the trade it takes back, as in ledger_trades; null for a trade of its own

-- A trade is taken back once.
create unique index ledger_trades_reverses on ledger_trades (reverses) where reverses is not null;
