-- rows
select count(*) from orders where venue_order_id is not null
-- violations
select 'venue order ' || venue_order_id as subject,
       'stands for ' || count(*) || ' orders, the first ' || min(order_id::text) as problem
  from orders
 where venue_order_id is not null
 group by venue_order_id
having count(*) > 1
