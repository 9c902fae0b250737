-- owner: scheduler
-- The end of each business date: how far it is, what could not be resolved, the proof of the books, the closing prices.
-- Safe while older code runs: new tables only.
create table eod_dates (
    business_date   date primary key,
    calendar        text not null,
    close_at        timestamptz not null,       -- the session's close as it was when it came; every time limit counts from it
    state           text not null default 'running',
    begun_at        timestamptz not null,
    closed_at       timestamptz,
    overridden_at   timestamptz,                -- an operator lets the date close with what is unresolved
    overridden_by   text,
    override_reason text,
    constraint eod_dates_state_check check ((state = 'running' and closed_at is null)
                                         or (state = 'closed' and closed_at is not null)),
    constraint eod_dates_override_check check (num_nulls(overridden_at, overridden_by, override_reason) in (0, 3))
);
create index eod_dates_running on eod_dates (business_date) where state = 'running';

create table eod_steps (
    business_date date not null references eod_dates,
    step          smallint not null,            -- 1 to 12, as in docs/trading-day.md
    begun_at      timestamptz not null,
    done_at       timestamptz,
    summary       text,                         -- what came of it, or what it waits for
    figures       jsonb not null default '{}',  -- counts, and how far a long step is
    primary key (business_date, step),
    constraint eod_steps_step_check check (step between 1 and 12)
) with (fillfactor = 50);

-- Orders whose end the exchange did not tell in time. They keep their hold; nothing is ended on a guess (EOD-3).
create table eod_unresolved (
    business_date date not null references eod_dates,
    order_id      uuid not null,
    account_id    uuid not null,
    symbol        text not null,
    why           text not null,
    since         timestamptz not null,
    resolved_at   timestamptz,                  -- its end came after all
    overridden_by text,                         -- who let the date close without it
    primary key (business_date, order_id)
);
create index eod_unresolved_open on eod_unresolved (business_date, order_id) where resolved_at is null;

-- One proof a date, each over the one before it: a changed row breaks every digest after it.
create table eod_proofs (
    business_date date primary key references eod_dates,
    number        bigint not null unique,       -- 1, 2, 3 … in the order of the dates
    proven_at     timestamptz not null,
    clean         boolean not null,
    content       text not null,                -- JSON as it was hashed: the audit's report, row counts, book totals
    former        text not null,                -- digest of the proof before it; empty for the first
    digest        text not null                 -- SHA-256 over number, date, former and content, in hex
);
create trigger eod_proofs_append_only before update or delete or truncate on eod_proofs
    for each statement execute function append_only();

create table closing_prices (
    symbol       text not null,
    session_date date not null,
    price        numeric not null,
    basis        text not null,                 -- midpoint, bid, ask: what was quoted
    quoted_at    timestamptz not null,
    primary key (symbol, session_date),
    constraint closing_prices_price_check check (price > 0)
);

grant select, insert, update on eod_dates, eod_steps, eod_unresolved to daybook_app;
grant select, insert on eod_proofs, closing_prices to daybook_app;
