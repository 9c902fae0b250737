-- owner: bus
-- The event log. Every event is born here, in the transaction of its cause.

-- Rises when the database was restored elsewhere, so that old positions are not mistaken for new ones.
create table bus_incarnation (
    only_row    boolean primary key default true check (only_row),
    incarnation bigint not null default 1
);
insert into bus_incarnation default values;

-- Partitioned by day and dropped by whole partitions below every consumer's position.
create table outbox (
    topic      text not null,
    partition  smallint not null,
    xid        xid8 not null default pg_current_xact_id(),
    id         bigint generated always as identity,
    order_id   uuid not null,
    kind       text not null,
    payload    text not null,           -- versioned JSON, see shared/wire events
    request_id text not null,
    created_at timestamptz not null default daybook_now()
) partition by range (created_at);
create index outbox_cursor on outbox (topic, partition, xid, id);

create table outbox_default partition of outbox default;

-- A consumer group's place in each partition, and who may move it: owner, epoch and lease in the same row, so that
-- storing a position is the fencing check (V10).
create table bus_positions (
    consumer_group text not null,
    topic          text not null,
    partition      smallint not null,
    incarnation    bigint not null,
    xid            xid8 not null default '0',
    id             bigint not null default 0,
    owner          uuid,
    epoch          bigint not null default 0,
    lease_until    timestamptz not null default '-infinity',
    primary key (consumer_group, topic, partition)
) with (fillfactor = 50);

-- Which processes share a group's partitions; a row that is not refreshed is gone.
create table bus_members (
    consumer_group text not null,
    topic          text not null,
    owner          uuid not null,
    seen_until     timestamptz not null,
    primary key (consumer_group, topic, owner)
);

-- Named leases for work that is not a partition: a venue's intake, a job.
create table leases (
    name        text primary key,
    owner       uuid,
    epoch       bigint not null default 0,
    lease_until timestamptz not null default '-infinity'
);

-- Messages that could not be handled: their order waits here, with the cause; everything else goes on (V12).
create table bus_parked (
    consumer_group text not null,
    topic          text not null,
    partition      smallint not null,
    xid            xid8 not null,
    id             bigint not null,
    order_id       uuid not null,
    kind           text not null,
    payload        text not null,
    request_id     text not null,
    cause          text not null,
    parked_at      timestamptz not null,
    primary key (consumer_group, topic, partition, xid, id)
);
create index bus_parked_order on bus_parked (consumer_group, order_id);

grant select, insert, update on bus_positions, leases to daybook_app;
grant select, insert, update, delete on bus_members, bus_parked to daybook_app;
grant select, insert on outbox to daybook_app;
grant select on bus_incarnation to daybook_app;
