-- rows
select count(*)
  from order_events e
 cross join notices_since s
 where e.at >= s.since
   and e.event in ('fill', 'canceled', 'expired', 'rejected', 'trade_bust', 'trade_correct')
-- violations
with ends as (
    select order_id, min(seq) as seq
      from order_events
     where event in ('canceled', 'expired', 'rejected')
     group by order_id),
told as (
    select e.order_id, e.seq, e.event,
           case when e.event in ('fill', 'partial_fill') and e.seq > n.seq then 'late_fill'
                when e.event = 'fill' then 'filled'
                when e.event = 'trade_bust' then 'bust'
                when e.event = 'trade_correct' then 'correction'
                when e.event in ('canceled', 'expired', 'rejected') then e.event end as kind,
           case when e.event = 'trade_correct' then e.exec_id || '/' || e.seq
                when e.event = 'trade_bust' or e.event in ('fill', 'partial_fill') and e.seq > n.seq then e.exec_id
                else '' end as about
      from order_events e
     cross join notices_since s
      left join ends n on n.order_id = e.order_id
     where e.at >= s.since)
select 'order ' || t.order_id as subject,
       'its event ' || t.seq || ' (' || t.event || ') has no notice' as problem
  from told t
 where t.kind is not null
   and exists (select from bus_positions p where p.consumer_group = 'notifier')
   and not exists (select from notices n where n.order_id = t.order_id and n.kind = t.kind and n.about = t.about)
