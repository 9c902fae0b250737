-- owner: orders
-- The stored order and everything its readers need. No index (nor index predicate) on status or updated_at, so that
-- updates stay HOT; open orders are found through the narrow table open_orders, whose key never changes.
create table orders (
    order_id            uuid primary key,
    account_id          uuid not null,
    client_order_id     text not null,
    asset_id            uuid not null,
    symbol              text not null,
    side                text not null,
    order_type          text not null,
    time_in_force       text not null,
    qty                 numeric not null,
    limit_price         numeric not null,
    session_date        date not null,       -- the session a day order belongs to, fixed at acceptance (EOD-4)
    request_id          text not null,
    created_at          timestamptz not null,
    submitted_at        timestamptz not null, -- acceptance; unique and growing per account (ORD-16)
    -- what status-updater moves
    status              text not null,
    filled_qty          numeric not null default 0,
    busted_qty          numeric not null default 0,
    filled_notional     numeric not null default 0, -- exact dollars of the live fills (ORD-5)
    posted_cash         numeric not null default 0, -- dollars booked for them so far (LED-I6)
    end_kind            text,                        -- the venue's end, kept until the fills it counted are here
    end_filled_qty      numeric,
    end_reason          text,
    acknowledged_at     timestamptz,
    venue_order_id      text,
    filled_at           timestamptz,
    canceled_at         timestamptz,
    expired_at          timestamptz,
    failed_at           timestamptz,
    -- wishes, written by order-manager and jobs
    cancel_requested_at timestamptz,
    expire_requested_at timestamptz,
    updated_at          timestamptz not null,
    constraint orders_qty_check check (qty > 0 and filled_qty >= 0 and filled_qty <= qty),
    constraint orders_price_check check (limit_price > 0)
) with (fillfactor = 50);
create unique index orders_account_submitted on orders (account_id, submitted_at);

-- Never pruned, so that orders can be archived and a client_order_id stays taken for ever (ORD-13).
create table order_client_ids (
    account_id      uuid not null,
    client_order_id text not null,
    order_id        uuid not null,
    constraint order_client_ids_key primary key (account_id, client_order_id)
);

create table open_orders (
    account_id uuid not null,
    order_id   uuid not null,
    symbol     text not null,
    side       text not null,
    primary key (account_id, order_id)
);

-- The account's own exact sequence: source of streams, replay, time line and audit trail. Each row holds what the
-- order's changing columns were after this event.
create table order_events (
    account_id      uuid not null,
    seq             bigint not null,
    order_id        uuid not null,
    event           text not null,
    at              timestamptz not null,
    status          text not null,     -- as shown to readers at that moment
    filled_qty      numeric not null,
    filled_notional numeric not null,
    exec_id         text,              -- fills and busts only, with the three below
    exec_qty        numeric,
    exec_price      numeric,
    position_qty    numeric,           -- shares owned after this execution
    cause           text not null,     -- who or what: customer, venue, executor, …, with the reason
    request_id      text not null,
    primary key (account_id, seq)
);
create index order_events_order on order_events (order_id, seq);
create trigger order_events_append_only before update or delete or truncate on order_events
    for each statement execute function append_only();

-- One row an account, under the account's lock: sequence numbers and counters.
create table account_sequences (
    account_id        uuid primary key,
    event_seq         bigint not null default 0,
    last_submitted_at timestamptz not null default '-infinity',
    last_event_at     timestamptz not null default '-infinity', -- events are told in its order, too
    open_orders       integer not null default 0
) with (fillfactor = 50);

create table fills (
    venue       text not null,
    exec_id     text not null,
    fill_id     uuid not null,          -- ours, for activity ids
    order_id    uuid not null,
    account_id  uuid not null,
    symbol      text not null,
    side        text not null,
    qty         numeric not null,
    price       numeric not null,
    cash        numeric not null,       -- dollars booked for it, above zero
    cum_qty     numeric not null,       -- of the order after it
    leaves_qty  numeric not null,
    order_status text not null,         -- of the order after it
    venue_at    timestamptz not null,
    received_at timestamptz not null,
    busted_at   timestamptz,
    primary key (venue, exec_id)
);
create index fills_order on fills (order_id);
create index fills_account on fills (account_id, venue_at, fill_id);

grant select, insert, update on orders, order_client_ids, account_sequences, fills to daybook_app;
grant select, insert, delete on open_orders to daybook_app;
grant select, insert on order_events to daybook_app;
