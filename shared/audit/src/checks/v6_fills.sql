-- rows
select count(*) from fills
-- violations
select 'order ' || coalesce(o.order_id, f.order_id) as subject,
       case when o.order_id is null then 'has fills and is not there'
            else 'says ' || o.filled_qty || ' filled for ' || o.filled_notional || ', ' || o.busted_qty || ' busted, '
                 || o.posted_cash || ' booked; its fills say ' || coalesce(f.qty, 0) || ' for ' || coalesce(f.notional, 0)
                 || ', ' || coalesce(f.busted, 0) || ' busted' end as problem
  from orders o
  full join (select order_id,
                    sum(qty) filter (where not busted) as qty,
                    sum(qty * price) filter (where not busted) as notional,
                    sum(qty) filter (where busted) as busted
               from (select order_id, qty, price, busted_at is not null as busted
                       from fills
                      union all
                     -- Beyond the limit, so nobody's shares; the order counts them as heard of, settled or not.
                     select order_id, (payload::json ->> 'qty')::numeric, 0, true
                       from venue_reports_set_aside
                      where kind = 'beyond_limit'
                        and payload::json ->> 'fact' = 'filled') x
              group by order_id) f using (order_id)
 -- LED-I6: to the cent, ties to even.
 cross join lateral (select floor(coalesce(o.filled_notional, 0) * 100) as cents,
                            coalesce(o.filled_notional, 0) * 100 - floor(coalesce(o.filled_notional, 0) * 100) as rest) c
 where o.order_id is null
    or o.filled_qty <> coalesce(f.qty, 0)
    or o.filled_notional <> coalesce(f.notional, 0)
    or o.busted_qty <> coalesce(f.busted, 0)
    or o.posted_cash * 100 <> case when c.rest > 0.5 or (c.rest = 0.5 and mod(c.cents, 2) = 1)
                                   then c.cents + 1 else c.cents end
