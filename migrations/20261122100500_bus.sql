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
    requeued_at    timestamptz,     -- set by an operator: the partition's owner handles it again, in the old order
    primary key (consumer_group, topic, partition, xid, id)
);
create index bus_parked_order on bus_parked (consumer_group, order_id);

-- The cursor: the next events after each place, at most `most`, in the order of the places; what is above the horizon of
-- running transactions is not there yet. When there are more, the last partition is cut short and those behind it wait.
-- A function for its settings only: a plan that was cached while the table was small would read all of it, once a
-- partition, until the next analyze. Stable, so that rows and horizon come from one snapshot.
create function bus_events_after(of_topic text, partitions smallint[], xids bigint[], ids bigint[], most bigint)
    returns table (partition smallint, xid bigint, id bigint, order_id uuid, kind text, payload text, request_id text,
                   created_at timestamptz)
    language plpgsql stable
    set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
    as $$
begin
    return query
    select o.partition, o.xid::text::bigint, o.id, o.order_id, o.kind, o.payload, o.request_id, o.created_at
      from unnest(partitions, xids, ids) as p(partition, xid, id)
     cross join lateral (
           select e.partition, e.xid, e.id, e.order_id, e.kind, e.payload, e.request_id, e.created_at
             from outbox e
            where e.topic = of_topic
              and e.partition = p.partition
              and (e.xid, e.id) > (p.xid::text::xid8, p.id)
              and e.xid < pg_snapshot_xmin(pg_current_snapshot())
            order by e.xid, e.id
            limit most) o
     limit most;
end $$;

-- Whether events wait above the horizon: committed, but something older is still being written. The limit keeps the
-- planner from joining the partitions with the whole topic.
create function bus_held_back(of_topic text, partitions smallint[]) returns boolean
    language plpgsql stable
    set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
    as $$
begin
    return exists (
        select from unnest(partitions) as p(partition)
         cross join lateral (
               select from outbox e
                where e.topic = of_topic
                  and e.partition = p.partition
                  and e.xid >= pg_snapshot_xmin(pg_current_snapshot())
                limit 1) o);
end $$;

-- Daily partitions of the outbox, UTC, from `first_day` on. The run-time role does not own the table, hence the functions.
-- A table is made apart and then attached: that locks the parent only weakly, so appends go on. A day that already has
-- rows in outbox_default stays there (its metric alerts). Answers how many were made.
create function bus_ensure_outbox_partitions(first_day date, days integer) returns integer
    language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '500ms'
    as $$
declare
    day  date;
    made integer := 0;
    name text;
begin
    for day in select first_day + n from generate_series(0, days - 1) n loop
        name := 'outbox_' || to_char(day, 'YYYYMMDD');
        if to_regclass(name) is null then
            begin
                execute format('create table %I (like outbox including defaults including indexes)', name);
                execute format('alter table outbox attach partition %I for values from (%L) to (%L)',
                    name, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
                made := made + 1;
            exception
                when check_violation then raise warning 'outbox_default already has rows of %', day;
                when duplicate_table then null;  -- another process was quicker
            end;
        end if;
    end loop;
    return made;
end $$;

-- Drops whole daily partitions that end before `keep_from` and hold nothing any registered consumer still has to read
-- (relay::before_prune); what outbox_default holds of that age goes by the same rule. Answers the names that went.
-- The lock is waited for only briefly: appends queue up behind the one who waits for it.
create function bus_drop_outbox_partitions(keep_from timestamptz) returns setof text
    language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '200ms'
    as $$
declare
    child  text;
    unread boolean;
begin
    for child in
        select c.relname
          from pg_inherits i
          join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'outbox'::regclass
           and c.relname ~ '^outbox_[0-9]{8}$'
           and (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp at time zone 'UTC' <= keep_from
         order by c.relname
    loop
        execute format(
            'select exists (select from bus_positions p cross join lateral (select from %I o'
            '  where o.topic = p.topic and o.partition = p.partition and (o.xid, o.id) > (p.xid, p.id) limit 1) o)', child)
            into unread;
        if not unread then
            execute format('drop table %I', child);
            return next child;
        end if;
    end loop;
    delete from outbox_default o
     where o.created_at < keep_from
       and not exists (select from bus_positions p
                        where p.topic = o.topic
                          and p.partition = o.partition
                          and (o.xid, o.id) > (p.xid, p.id));
end $$;

-- The age of the oldest running writing transaction: what holds every consumer's horizon back. By the real clock, since
-- xact_start is; a function of the owner's, since others' sessions are hidden from the run-time role.
create function bus_horizon_age() returns interval
    language sql stable security definer set search_path = public, pg_temp
    as $$
        select coalesce(max(clock_timestamp() - w.since), '0')
          from (select xact_start as since from pg_stat_activity where backend_xid is not null
                union all
                select prepared from pg_prepared_xacts) w
    $$;

revoke execute on function bus_ensure_outbox_partitions, bus_drop_outbox_partitions, bus_horizon_age from public;
grant execute on function bus_ensure_outbox_partitions, bus_drop_outbox_partitions, bus_horizon_age to daybook_app;

grant select, insert, update on bus_positions, leases to daybook_app;
grant select, insert, update, delete on bus_members, bus_parked to daybook_app;
grant select, insert on outbox to daybook_app;
grant select on outbox_default to daybook_app;
grant select on bus_incarnation to daybook_app;
