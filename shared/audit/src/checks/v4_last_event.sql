-- rows
select count(*) from orders
-- violations
select 'order ' || o.order_id as subject,
       'shows ' || o.shown || ' with ' || o.filled_qty || ' filled for ' || o.filled_notional || ', its last event says '
       || coalesce(l.status || ' with ' || l.filled_qty || ' for ' || l.filled_notional, 'nothing') as problem
  from (select order_id, filled_qty, filled_notional,
               replaces is not null and status = 'pending_new' as waits,
               case when status in ('filled', 'canceled', 'expired', 'rejected', 'replaced') then status
                    when cancel_requested_at is not null then 'pending_cancel'
                    when replace_requested_at is not null then 'pending_replace'
                    else status end as shown
          from orders) o
  left join (select distinct on (order_id) order_id, status, filled_qty, filled_notional
               from order_events
              order by order_id, seq desc) l using (order_id)
 where (l.status, l.filled_qty, l.filled_notional) is distinct from (o.shown, o.filled_qty, o.filled_notional)
   -- A replacement says nothing of itself until the order it replaces has given way, or it is told that it will not.
   and not (o.waits and l.status is null)
