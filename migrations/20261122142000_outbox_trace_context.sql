-- owner: bus
-- Where in a trace an event was caused: W3C traceparent, 55 characters, null where nothing is traced. By the type, and not by
-- a check: daily partitions are made without checks, and none of today's rows has to be read.
-- Safe while older programs run: they neither write nor read it.
alter table outbox add column trace_context varchar(55);
alter table bus_parked add column trace_context varchar(55);

-- As before, and the trace context with it. A function's columns cannot be changed; who calls it names those it wants.
drop function bus_events_after(text, smallint[], bigint[], bigint[], bigint);
create function bus_events_after(of_topic text, partitions smallint[], xids bigint[], ids bigint[], most bigint)
    returns table (partition smallint, xid bigint, id bigint, order_id uuid, kind text, payload text, request_id text,
                   created_at timestamptz, trace_context varchar)
    language plpgsql stable
    set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
    as $$
begin
    return query
    select o.partition, o.xid::text::bigint, o.id, o.order_id, o.kind, o.payload, o.request_id, o.created_at,
           o.trace_context
      from unnest(partitions, xids, ids) as p(partition, xid, id)
     cross join lateral (
           select e.partition, e.xid, e.id, e.order_id, e.kind, e.payload, e.request_id, e.created_at, e.trace_context
             from outbox e
            where e.topic = of_topic
              and e.partition = p.partition
              and (e.xid, e.id) > (p.xid::text::xid8, p.id)
              and e.xid < pg_snapshot_xmin(pg_current_snapshot())
            order by e.xid, e.id
            limit most) o
     limit most;
end $$;
