-- rows
select count(*) from bus_parked
-- violations
select 'order ' || order_id as subject,
       kind || ' is parked by ' || consumer_group || ': ' || cause as problem
  from bus_parked
