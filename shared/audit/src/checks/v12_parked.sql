-- rows
select count(*) from bus_parked
-- violations
select 'message ' || xid || '/' || id || ' of order ' || order_id as subject,
       'is parked by ' || consumer_group || ' without a cause' as problem
  from bus_parked
 where btrim(cause) = ''
