-- rows
select count(*) from notices
-- violations
select 'notice ' || n.notice_id as subject,
       'tells that order ' || n.order_id || ' was ' || n.kind || ', but event ' || n.event_seq || ' does not say so' as problem
  from notices n
 where not exists (select from order_events e
                    where e.account_id = n.account_id
                      and e.seq = n.event_seq
                      and e.order_id = n.order_id
                      and case n.kind when 'filled' then e.event = 'fill'
                                      when 'late_fill' then e.event in ('fill', 'partial_fill')
                                      when 'bust' then e.event = 'trade_bust'
                                      when 'correction' then e.event = 'trade_correct'
                                      else e.event = n.kind end)
