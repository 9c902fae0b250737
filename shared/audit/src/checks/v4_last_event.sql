-- rows
select count(*) from orders
-- violations
select 'order ' || o.order_id as subject,
       'shows ' || o.shown || ' with ' || o.filled_qty || ' filled for ' || o.filled_notional || ', its last event says '
       || coalesce(l.status || ' with ' || l.filled_qty || ' for ' || l.filled_notional, 'nothing') as problem
  from (select order_id, filled_qty, filled_notional,
               case when cancel_requested_at is not null
                     and status not in ('filled', 'canceled', 'expired', 'rejected', 'replaced')
                    then 'pending_cancel' else status end as shown
          from orders) o
  left join (select distinct on (order_id) order_id, status, filled_qty, filled_notional
               from order_events
              order by order_id, seq desc) l using (order_id)
 where (l.status, l.filled_qty, l.filled_notional) is distinct from (o.shown, o.filled_qty, o.filled_notional)
