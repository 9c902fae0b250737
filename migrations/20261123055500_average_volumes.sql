-- owner: instruments
-- How much of a symbol trades: what an order's shares are measured by (RSK-3). Safe while older programs run: a new table only.
create table average_volumes (
    symbol       text primary key references assets (symbol),
    average      bigint not null,      -- whole shares a session, rounded down
    sessions     integer not null,     -- how many were averaged
    through      date not null,        -- the last of them
    updated_at   timestamptz not null,
    constraint average_volumes_values_check check (average >= 0 and sessions > 0)
);

grant select, insert, update on average_volumes to daybook_app;
