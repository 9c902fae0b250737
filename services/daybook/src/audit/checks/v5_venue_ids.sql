-- rows
select count(*) from orders where venue_order_id is not null
-- violations
select 'venue order ' || venue_order_id as subject,
       'stands for ' || count(*) || ' orders, the first ' || min(order_id::text) as problem
  from orders
 where venue_order_id is not null
 group by venue_order_id
having count(*) > 1
 union all
select 'order ' || o.order_id,
       'is ' || o.venue_order_id || ' at the venue by its reports, and ' || s.venue_order_id || ' by its submission'
  from orders o
  join venue_submissions s using (order_id)
 where o.venue_order_id <> s.venue_order_id
