-- rows
select count(*) from orders
-- violations
select 'order ' || o.order_id as subject,
       'is ' || o.status || case when s.order_id is null then ' and was never filed for the venue'
                                 else ', its submission ' || s.state || ' after ' || s.attempts || ' attempts' end as problem
  from orders o
  left join venue_submissions s using (order_id)
 where s.order_id is null
    or (o.status in ('canceled', 'expired', 'rejected') and s.state in ('queued', 'sending', 'in_doubt', 'burning'))
    or (o.status not in ('filled', 'canceled', 'expired', 'rejected', 'replaced') and s.state in ('ended', 'withdrawn'))
