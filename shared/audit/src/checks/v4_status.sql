-- rows
select count(*) from orders
-- violations
select 'order ' || o.order_id as subject,
       'is ' || o.status || ' with ' || o.carried_qty || ' + ' || o.filled_qty || ' of ' || o.qty || ' filled, ' || o.busted_qty || ' busted, end '
       || coalesce(o.end_kind || ' at ' || o.end_filled_qty, 'unknown')
       || ', acknowledged ' || coalesce(o.acknowledged_at::text, 'never') as problem
  from orders o
 cross join lateral (select o.end_kind is not null and o.filled_qty + o.busted_qty >= o.end_filled_qty as ended) e
 where not case
         when e.ended and o.end_kind = 'replaced' then o.status = 'replaced'
         when o.carried_qty + o.filled_qty = o.qty then o.status = 'filled' and o.filled_at is not null
         when e.ended then o.status = o.end_kind
                       and case o.end_kind when 'canceled' then o.canceled_at
                                           when 'expired' then o.expired_at
                                           else o.failed_at end is not null
         when o.filled_qty > 0 then o.status in ('partially_filled', 'done_for_day')
         when o.status in ('accepted', 'pending_new') then o.acknowledged_at is null
         else o.status in ('new', 'done_for_day')
       end
    or (o.end_kind is null) <> (o.end_filled_qty is null)
