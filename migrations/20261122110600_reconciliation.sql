-- owner: scheduler
-- Reconciliation: what a clearing file says was traded, and where it differs from our fills (REC-1 to REC-5).
-- Safe while older code runs: new tables only.

-- One row a file that was whole. The same bytes again are the same row; of several the one seen last is in force.
create table recon_files (
    venue        text not null,
    session_date date not null,
    version      integer not null,
    digest       text not null,
    lines        bigint not null,
    shares       numeric not null,             -- of the lines that stand
    dollars      numeric not null,
    received_at  timestamptz not null,
    seen_at      timestamptz not null,
    loaded_at    timestamptz,                  -- null: its lines are not all here
    primary key (venue, session_date, version),
    constraint recon_files_digest_key unique (venue, session_date, digest)
);

create table recon_trades (
    venue           text not null,
    session_date    date not null,
    version         integer not null,
    number          bigint not null,           -- the file's own
    exec_id         text not null,
    venue_order_id  text not null,
    client_order_id text not null,
    order_id        uuid,                      -- client_order_id, where it has the form of an id of ours
    symbol          text not null,
    side            text not null,
    qty             numeric not null,
    price           numeric not null,
    at              timestamptz not null,
    busted          boolean not null,
    primary key (venue, session_date, version, exec_id)
);
create index recon_trades_exec on recon_trades (venue, exec_id);

-- A difference, from when it was found until it is gone or decided. Keyed by what differs: a second pass finds it again.
create table recon_breaks (
    break_no         bigint generated always as identity primary key,
    venue            text not null,
    session_date     date not null,
    kind             text not null,
    subject          text not null,            -- the execution, or the order
    exec_id          text,
    order_id         uuid,
    account_id       uuid,
    symbol           text not null,
    side             text not null,
    qty              numeric not null,
    price            numeric not null,
    cash             numeric not null,         -- dollars in question
    at               timestamptz not null,     -- of the execution
    ours             text not null,            -- both sides in words
    theirs           text not null,
    state            text not null default 'open',
    suspense         text,                     -- `missing`: LED-21 is booked under the break's id
    round            integer not null default 1,
    note             text not null,            -- what the program found out, and what it waits for
    owner            text,
    explanation      text,                     -- an operator's
    asked            integer not null default 0,
    asked_at         timestamptz,
    acted_at         timestamptz,
    decided          boolean not null default false, -- by a person: it stays closed
    proposed_act     text,
    proposed_account uuid,
    proposed_reason  text,
    proposed_by      text,
    opened_at        timestamptz not null,
    updated_at       timestamptz not null,
    closed_at        timestamptz,
    constraint recon_breaks_key unique (venue, session_date, kind, subject),
    constraint recon_breaks_state_check check (state in ('open', 'explained', 'adjusted', 'closed')),
    constraint recon_breaks_closed_check check ((state = 'closed') = (closed_at is not null))
);
create index recon_breaks_open on recon_breaks (opened_at, break_no) where closed_at is null;

-- The last comparison of a session, for the report.
create table recon_days (
    venue        text not null,
    session_date date not null,
    version      integer,                      -- of the file it was compared with
    passes       integer not null default 0,
    our_fills    bigint not null default 0,
    our_shares   numeric not null default 0,
    our_dollars  numeric not null default 0,
    matched      bigint not null default 0,
    by_terms     bigint not null default 0,    -- matched by their terms, under another id (REC-1)
    compared_at  timestamptz,
    refused      text,                         -- why the last file was not taken
    refused_at   timestamptz,
    primary key (venue, session_date)
);

grant select, insert, update on recon_files, recon_trades, recon_breaks, recon_days to daybook_app;
