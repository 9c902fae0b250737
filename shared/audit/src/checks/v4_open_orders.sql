-- rows
select count(*) from open_orders
-- violations
-- Materialized: where statistics are of the moment before very many orders ended, or came, they would be computed for each account.
with counted as materialized (
     select account_id, count(*) as open
       from open_orders
      group by account_id),
     worth as materialized (
     select o.account_id, sum((o.qty - o.carried_qty - o.filled_qty) * o.limit_price) as value
       from open_orders l
       join orders o on o.order_id = l.order_id
      group by o.account_id)
select 'order ' || coalesce(o.order_id, w.order_id) as subject,
       case when w.order_id is null then 'is ' || o.status || ' and not among the open orders'
            when o.order_id is null then 'is among the open orders and not there'
            when o.status in ('filled', 'canceled', 'expired', 'rejected', 'replaced')
            then 'is ' || o.status || ' and among the open orders'
            else 'is listed with another account, symbol or side' end as problem
  from orders o
  full join open_orders w on w.order_id = o.order_id
 where (w.order_id is null and o.status not in ('filled', 'canceled', 'expired', 'rejected', 'replaced'))
    or (w.order_id is not null
        and (o.order_id is null
             or o.status in ('filled', 'canceled', 'expired', 'rejected', 'replaced')
             or (o.account_id, o.symbol, o.side) <> (w.account_id, w.symbol, w.side)))
 union all
select 'account ' || coalesce(s.account_id, w.account_id),
       'counts ' || coalesce(s.open_orders::text, 'no') || ' open orders and has ' || coalesce(w.open, 0)
  from account_sequences s
  full join counted w using (account_id)
 where s.open_orders is distinct from coalesce(w.open, 0)
 union all
select 'account ' || s.account_id,
       'has ' || coalesce(w.value, 0) || ' dollars of open orders and counts ' || s.open_value
  from account_sequences s
  left join worth w using (account_id)
 where s.open_value <> coalesce(w.value, 0)
