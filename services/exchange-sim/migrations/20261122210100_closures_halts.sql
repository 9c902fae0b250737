-- owner: exchange-sim
-- The exchange's own special closures, and halts: nothing trades, of one symbol or (symbol '') of all.

create table sim_closures (
    day       date primary key,
    closes_at time -- New York; null when there is no session that day
);

create table sim_halts (
    symbol  text primary key,
    ends_at timestamptz not null
);
