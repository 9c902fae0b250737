-- owner: executor
-- What we asked of the venue for each order, written before the first call (intent) and after each answer.
create table venue_submissions (
    order_id         uuid primary key,      -- also the key at the venue
    account_id       uuid not null,
    partition        smallint not null,     -- of the topic orders; its owner works on the row
    symbol           text not null,
    side             text,                  -- this and the terms below: null for an order withdrawn before it was filed
    qty              numeric,
    limit_price      numeric,
    time_in_force    text,
    session_date     date,
    request_id       text not null,
    filed_xid        bigint not null,       -- bus position: the order of dispatch within the symbol
    filed_id         bigint not null,
    state            text not null,         -- queued, sending, in_doubt, working, burning, ended, withdrawn
    attempts         integer not null default 0,
    cancel_state     text not null default 'none', -- none, wanted, sending, sent, refused
    cancel_attempts  integer not null default 0,
    venue_order_id   text,
    last_error       text,
    burn_reason      text,                  -- why the saga began, in words a customer can read
    next_try_at      timestamptz,
    first_sent_at    timestamptz,
    updated_at       timestamptz not null,
    constraint venue_submissions_terms_check check (
        state = 'withdrawn'
        or num_nulls(side, qty, limit_price, time_in_force, session_date) = 0
    )
) with (fillfactor = 50);
-- Rows with work left are found by their own narrow table, so that updates of the row stay HOT.
create table venue_open_submissions (
    partition smallint not null,
    order_id  uuid not null,
    primary key (partition, order_id)
);

-- Saga compensation, one row a step, written before it runs; a step done twice is harmless.
create table venue_saga_steps (
    order_id   uuid not null,
    step       text not null,               -- burn_submit, burn_cancel, await_end, report
    attempts   integer not null default 0,
    started_at timestamptz not null,
    done_at    timestamptz,
    outcome    text,
    primary key (order_id, step)
);

grant select, insert, update on venue_submissions, venue_saga_steps to daybook_app;
grant select, insert, delete on venue_open_submissions to daybook_app;
