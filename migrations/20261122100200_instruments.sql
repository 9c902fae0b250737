-- owner: instruments
-- What can be traded, and its last quote at the exchange.
create table assets (
    asset_id     uuid primary key,
    symbol       text not null,
    name         text not null,
    exchange     text not null,
    status       text not null,
    tradable     boolean not null,
    fractionable boolean not null,
    updated_at   timestamptz not null,
    constraint assets_symbol_key unique (symbol)
);

create table last_quotes (
    symbol     text primary key,
    bid        numeric,                 -- null: nobody bids

    ask        numeric,
    quoted_at  timestamptz not null,
    updated_at timestamptz not null
) with (fillfactor = 50);

grant select, insert, update on assets, last_quotes to daybook_app;
