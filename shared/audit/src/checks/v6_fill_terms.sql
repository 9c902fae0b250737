-- rows
select count(*) from fills
-- violations
select 'fill ' || f.exec_id || ' at ' || f.venue as subject,
       f.side || ' ' || f.qty || ' ' || f.symbol || ' @ ' || f.price || ' on order ' || f.order_id || ', which is to '
       || o.side || ' ' || o.symbol || ' @ ' || o.limit_price as problem
  from fills f
  join orders o using (order_id)
 where (f.account_id, f.symbol, f.side) <> (o.account_id, o.symbol, o.side)
    or f.qty <= 0
    or f.price <= 0
    or (f.side = 'buy' and f.price > o.limit_price)
    or (f.side = 'sell' and f.price < o.limit_price)
