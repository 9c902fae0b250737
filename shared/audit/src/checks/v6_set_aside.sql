-- rows
select count(*) from venue_reports_set_aside
-- violations
select 'report ' || report_id as subject,
       'about order ' || coalesce(order_id::text, 'unknown') || ' waits for an operator: ' || cause as problem
  from venue_reports_set_aside
 where resolved_at is null
