-- owner: bus
-- From when on the outbox is whole, so that nobody is told that rows are shipped again which were dropped.
-- Safe while older programs run: they drop by the function below, and read nothing of this.

-- Every row appended at `since` or later is there; null: nothing was ever dropped.
create table outbox_kept (
    only_row boolean primary key default true check (only_row),
    since    timestamptz
);
-- What was dropped before this migration is not known: of the days that are there without a gap, up to those made ahead, the
-- first is taken for the first whole one. Before a gap one may be there because somebody has not read it.
insert into outbox_kept (since)
with days as (
    select to_date(right(c.relname, 8), 'YYYYMMDD') as day
      from pg_inherits i
      join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'outbox'::regclass
       and c.relname ~ '^outbox_[0-9]{8}$')
select max(day)::timestamp at time zone 'UTC'
  from days d
 where not exists (select from days before where before.day = d.day - 1);
grant select on outbox_kept to daybook_app;

-- As before, but it writes down what went, and takes turns with whoever sets a position back to an old row.
create or replace function bus_drop_outbox_partitions(keep_from timestamptz) returns setof text
    language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '200ms'
    as $$
declare
    child   text;
    unread  boolean;
    day_end timestamptz;
    gone    timestamptz;
begin
    perform pg_advisory_xact_lock(hashtext('bus_drop_outbox_partitions'));
    for child, day_end in
        select d.relname, d.day_end
          from (select c.relname, (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp at time zone 'UTC' as day_end
                  from pg_inherits i
                  join pg_class c on c.oid = i.inhrelid
                 where i.inhparent = 'outbox'::regclass
                   and c.relname ~ '^outbox_[0-9]{8}$') d
         where d.day_end <= keep_from
         order by d.relname
    loop
        execute format(
            'select exists (select from bus_positions p cross join lateral (select from %I o'
            '  where o.topic = p.topic and o.partition = p.partition and (o.xid, o.id) > (p.xid, p.id) limit 1) o)', child)
            into unread;
        if not unread then
            execute format('drop table %I', child);
            gone := greatest(gone, day_end);
            return next child;
        end if;
    end loop;
    with deleted as (
        delete from outbox_default o
         where o.created_at < keep_from
           and not exists (select from bus_positions p
                            where p.topic = o.topic
                              and p.partition = o.partition
                              and (o.xid, o.id) > (p.xid, p.id))
        returning o.created_at)
    select greatest(gone, max(created_at) + interval '1 microsecond') into gone from deleted;
    update outbox_kept set since = greatest(since, gone) where gone is not null;
end $$;
