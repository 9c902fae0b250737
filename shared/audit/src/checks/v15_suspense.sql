-- rows
select count(*) from ledger_entries where book = 'firm.suspense'
-- violations
with items as (
    -- LED-20: set aside, waiting.
    select e.asset, e.amount
      from venue_reports_set_aside s
      join ledger_transfers t on t.kind = 'unknown_execution'
       and t.cause = concat('unknown:', s.payload::json ->> 'venue', ':', s.payload::json ->> 'exec_id')
      join ledger_entries e using (transfer_id)
     where s.resolved_at is null
       and s.payload::json ->> 'fact' in ('filled', 'unmatched')
       and s.kind not in ('contradiction', 'busted_before')
       and e.book = 'firm.suspense'
     union all
    -- LED-21: denied by the venue, not decided.
    select symbol, case side when 'buy' then -qty else qty end
      from recon_breaks
     where closed_at is null
       and suspense is not null
     union all
    select 'USD', case side when 'buy' then cash else -cash end
      from recon_breaks
     where closed_at is null
       and suspense is not null
),
expected as (select asset, sum(amount) as amount from items group by asset),
-- What a bust or a late sale could not take from a customer is in the customer's own transfers (LED-16).
booked as (
    select e.asset, sum(e.amount) as amount
      from ledger_entries e
      join ledger_transfers t using (transfer_id)
     where e.book = 'firm.suspense'
       and (t.account_id is null or t.kind = 'assigned')
     group by e.asset
)
select 'firm.suspense of ' || asset as subject,
       'holds ' || coalesce(b.amount, 0) || ', what waits there makes ' || coalesce(x.amount, 0) as problem
  from booked b
  full join expected x using (asset)
 where coalesce(b.amount, 0) <> coalesce(x.amount, 0)
