-- rows
select count(*) from outbox where topic = 'order-updates'
-- violations
select 'message ' || o.xid || '/' || o.id || ' about order ' || o.order_id as subject,
       'points to event ' || (o.payload::jsonb ->> 'seq') || ', which is not there or another order''s' as problem
  from outbox o
 where o.topic = 'order-updates'
   and o.kind = 'order_updated.v1'
   and not exists (select from order_events e
                    where e.account_id = (o.payload::jsonb ->> 'account_id')::uuid
                      and e.seq = (o.payload::jsonb ->> 'seq')::bigint
                      and e.order_id = o.order_id)
 union all
select 'event ' || e.account_id || '/' || e.seq, 'is told ' || count(*) || ' times'
  from order_events e
  join outbox o on o.topic = 'order-updates' and o.order_id = e.order_id
               and o.kind = 'order_updated.v1' and (o.payload::jsonb ->> 'seq')::bigint = e.seq
 group by e.account_id, e.seq
having count(*) > 1
