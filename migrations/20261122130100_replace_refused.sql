-- owner: orders
-- A replace that was refused while nobody said how many shares had filled by then: fills of before that time which make up
-- this total overtook it, however late they are heard of (ORD-9).
-- Safe while older programs run: the columns may be null, and no row is written or looked at.
alter table orders
    add column refused_qty numeric,
    add column refused_at  timestamptz;

-- The replacements of an order, to find the one that the venue says took its place. Few orders replace another.
create index orders_replaces on orders (replaces) where replaces is not null;
