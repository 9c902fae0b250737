-- owner: orders
-- Place and cancel churn (RSK-8), counted in the transaction that takes the cancel, so that a restart forgets nothing.
-- New tables only: safe while older code runs (which does not count).

-- Cancels that customers asked for, in slots of ten seconds. Orders, replacements and fills are counted where they are.
-- No index on what changes, so that counting one more stays a HOT update.
create table order_cancels (
    account_id uuid not null,
    symbol     text not null,
    slot       timestamptz not null,
    cancels    integer not null,
    constraint order_cancels_key primary key (account_id, symbol, slot),
    constraint order_cancels_check check (cancels > 0)
) with (fillfactor = 70);
create index order_cancels_slot on order_cancels (slot);

-- What became of an account that went on in a symbol: how often it was told, and until when it places nothing there.
create table churn_strikes (
    account_id     uuid not null,
    symbol         text not null,
    strikes        integer not null,
    struck_at      timestamptz not null,
    cool_off_until timestamptz not null,
    constraint churn_strikes_key primary key (account_id, symbol),
    constraint churn_strikes_check check (strikes > 0 and cool_off_until >= struck_at)
);

grant select, insert, update, delete on order_cancels, churn_strikes to daybook_app;
