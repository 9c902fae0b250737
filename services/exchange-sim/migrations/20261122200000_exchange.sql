-- owner: exchange-sim
-- The bundled exchange: one omnibus account, every order and execution for ever, the report stream by sequence.
-- A database of its own in every installation; the prefix only keeps it apart where checks share one.
-- Numbers come from the one engine that holds the advisory lock, without gaps: order, execution and event 1, 2, 3, …
-- Prices are ticks (1/10000 dollar), quantities whole shares. The ids others see are made from number and salt, so
-- they need no index of their own. No foreign keys: there is one writer, and a check per row costs as much as the row.

create table sim_state (
    only_row   boolean primary key default true constraint sim_state_one_row check (only_row),
    salt       bigint not null,
    created_at timestamptz not null
);

create table sim_orders (
    order_no        bigint primary key,
    client_order_id text not null constraint sim_orders_client_order_id_key unique,
    symbol          text not null,
    side            text not null constraint sim_orders_side check (side in ('buy', 'sell')),
    time_in_force   text not null constraint sim_orders_tif check (time_in_force in ('day', 'gtc', 'ioc', 'fok')),
    limit_ticks     bigint not null constraint sim_orders_limit check (limit_ticks > 0),
    qty             bigint not null constraint sim_orders_qty check (qty > 0),
    filled_qty      bigint not null constraint sim_orders_filled check (filled_qty >= 0),
    filled_ticks    bigint not null, -- sum of price x quantity over its live executions
    busted_qty      bigint not null,
    status          text not null constraint sim_orders_status
        check (status in ('accepted', 'new', 'partially_filled', 'filled', 'canceled', 'expired', 'rejected')),
    submitted_at    timestamptz not null, -- strictly growing with order_no: lists are paged by it
    updated_at      timestamptz not null,
    ended_at        timestamptz,
    expires_at      timestamptz
) with (fillfactor = 50); -- room for the update of a fill on the same page; no index on what changes

create index sim_orders_submitted_at on sim_orders using brin (submitted_at) with (pages_per_range = 16);

-- The open ones, so that a restart finds the book without reading history.
create table sim_open_orders (
    order_no bigint primary key
);

create table sim_executions (
    execution_no bigint primary key,
    order_no     bigint not null,
    price_ticks  bigint not null constraint sim_executions_price check (price_ticks > 0),
    qty          bigint not null constraint sim_executions_qty check (qty > 0),
    cum_qty      bigint not null,
    leaves_qty   bigint not null,
    executed_at  timestamptz not null,
    busted_at    timestamptz
) with (fillfactor = 90);

create index sim_executions_executed_at on sim_executions using brin (executed_at) with (pages_per_range = 16);

-- The report stream. The order's fixed part is joined in; here is what the event changed.
create table sim_events (
    event_no     bigint primary key,
    order_no     bigint not null,
    event        text not null,
    status       text not null,
    filled_qty   bigint not null,
    filled_ticks bigint not null,
    execution_no bigint,
    price_ticks  bigint,
    qty          bigint,
    reason       text,
    happened_at  timestamptz not null
);

-- Where each symbol's random walk stands, saved every few seconds.
create table sim_walks (
    symbol    text primary key,
    mid_ticks bigint not null,
    generator bigint not null
) with (fillfactor = 50);
