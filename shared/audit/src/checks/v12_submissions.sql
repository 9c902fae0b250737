-- rows
select count(*) from venue_submissions
-- violations
select 'order ' || coalesce(s.order_id, w.order_id) as subject,
       case when s.order_id is null then 'is listed as unfinished and was never filed'
            when w.order_id is null then 'is ' || s.state || ' and not listed as unfinished'
            else 'is ' || s.state || ' and listed in partition ' || w.partition || ' instead of ' || s.partition end as problem
  from venue_submissions s
  full join venue_open_submissions w using (order_id)
 where s.order_id is null
    or (w.order_id is null and s.state in ('queued', 'sending', 'in_doubt', 'burning'))
    or w.partition <> s.partition
