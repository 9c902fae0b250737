-- owner: notifier
-- What customers are told about their orders: one row an order and end, one an execution that came late, was taken back
-- or corrected. Safe while older programs run: new tables only.
create table notices (
    notice_id  uuid primary key,         -- made from order, kind and execution: the same however often it is written
    account_id uuid not null,
    order_id   uuid not null,
    kind       text not null,
    about      text not null,            -- the execution; empty when it is about the order
    event_seq  bigint not null,          -- the row of order_events it tells of
    title      text not null,
    body       text not null,
    created_at timestamptz not null,
    read_at    timestamptz,
    constraint notices_kind_check
        check (kind in ('filled', 'canceled', 'expired', 'rejected', 'late_fill', 'bust', 'correction')),
    constraint notices_once_key unique (order_id, kind, about)
);
create index notices_account on notices (account_id, created_at desc, notice_id desc);

-- From when on each end has its notice; what ended before may have none.
create table notices_since (
    only_row boolean primary key default true constraint notices_since_one_row check (only_row),
    since    timestamptz not null
);
insert into notices_since (since) values (daybook_now());

grant select, insert, update on notices to daybook_app;
grant select on notices_since to daybook_app;
