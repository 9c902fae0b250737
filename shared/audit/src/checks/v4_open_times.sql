-- rows
select count(*) from open_orders
-- violations
select 'order ' || o.order_id as subject,
       'is of ' || o.time_in_force || ' ' || o.session_date || ' until ' || e.at || ', listed as '
       || w.time_in_force || ' ' || w.session_date || coalesce(' until ' || w.expires_at, '') as problem
  from open_orders w
  join orders o using (order_id)
 cross join lateral (select coalesce(o.expires_at, usual_expiry(o.time_in_force, o.session_date, o.created_at)) as at) e
 where (o.session_date, o.time_in_force) <> (w.session_date, w.time_in_force)
    or w.expires_at is distinct from
       case when o.time_in_force = 'gtc' or o.explicit_expiry then e.at end
