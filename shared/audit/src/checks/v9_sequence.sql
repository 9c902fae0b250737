-- rows
select count(*) from order_events
-- violations
select 'account ' || coalesce(s.account_id, e.account_id) as subject,
       'counts to ' || coalesce(s.event_seq::text, 'nothing') || ', its events run from ' || coalesce(e.first, 0) || ' to '
       || coalesce(e.last, 0) || ' and are ' || coalesce(e.events, 0) as problem
  from account_sequences s
  full join (select account_id, min(seq) as first, max(seq) as last, count(*) as events
               from order_events
              group by account_id) e using (account_id)
 where s.event_seq is distinct from coalesce(e.last, 0)
    or coalesce(e.events, 0) <> coalesce(e.last, 0)
    or coalesce(e.first, 1) <> 1
