-- rows
select count(*) from fills
-- violations
select 'fill ' || f.exec_id || ' at ' || f.venue as subject,
       'of order ' || f.order_id || ' booked ' || f.cash || ', its transfer moved ' || coalesce(b.cash::text, 'nothing: there is none')
       as problem
  from fills f
  -- What the fill moved and what its corrections changed of it (LED-17), by venue and execution.
  left join (select m.cause, m.order_id, sum(m.cash) as cash
               from (select case t.kind when 'fill' then t.cause
                                        else regexp_replace(t.cause, '^correct_(out|in):(.*):[0-9]+$', 'fill:\2') end as cause,
                            t.order_id,
                            coalesce(sum(e.amount) filter (where e.book = 'street.cash.pending'), 0) as cash
                       from ledger_transfers t
                       left join ledger_entries e using (transfer_id)
                      where t.kind in ('fill', 'correct_out', 'correct_in')
                      group by t.transfer_id, t.kind, t.cause, t.order_id) m
              group by m.cause, m.order_id) t on t.cause = 'fill:' || f.venue || ':' || f.exec_id
                                             and t.order_id = f.order_id
 cross join lateral (select case f.side when 'buy' then t.cash else -t.cash end as cash) b
 -- A fill whose bust came first was never booked.
 where b.cash is distinct from f.cash
   and not (f.busted_at is not null and f.cash = 0 and b.cash is null)
 union all
select 'fill ' || f.exec_id || ' at ' || f.venue,
       'was taken back and its booking was not'
  from fills f
 where f.busted_at is not null
   and f.cash <> 0
   and not exists (select from ledger_transfers t where t.cause = 'bust:' || f.venue || ':' || f.exec_id)
 union all
select 'transfer ' || t.transfer_id,
       t.cause || ' has no fill'
  from ledger_transfers t
 where t.kind = 'fill'
   and not exists (select from fills f where t.cause = 'fill:' || f.venue || ':' || f.exec_id)
