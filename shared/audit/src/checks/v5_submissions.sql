-- rows
select count(*) from venue_submissions
-- violations
select 'order ' || s.order_id as subject,
       case when o.order_id is null then 'was submitted and is not there'
            else 'was filed as ' || s.side || ' ' || s.qty || ' ' || s.symbol || ' @ ' || s.limit_price || ' '
                 || s.time_in_force || ', asked as ' || o.side || ' ' || o.qty || ' ' || o.symbol || ' @ '
                 || o.limit_price || ' ' || o.time_in_force end as problem
  from venue_submissions s
  left join orders o using (order_id)
 where o.order_id is null
    or (o.account_id, o.symbol, o.side, o.limit_price, o.time_in_force, o.session_date)
       <> (s.account_id, s.symbol, s.side, s.limit_price, s.time_in_force, s.session_date)
    -- Where fills overtook a replace, the quantity is what was filled (ORD-9).
    or (o.qty <> s.qty and not o.overtaken)
    or (s.side is not null and o.replaces is distinct from s.replaces)
