-- rows
select count(*) from ledger_shares
-- violations
select 'account ' || coalesce(s.account_id, f.account_id) || ', ' || coalesce(s.symbol, f.symbol) as subject,
       'owns ' || coalesce(s.avail + s.held, 0) || ', its fills make ' || coalesce(f.qty, 0) as problem
  from ledger_shares s
  full join (select account_id, symbol, sum(case side when 'buy' then qty else -qty end) as qty
               from fills
              where busted_at is null
              group by account_id, symbol) f using (account_id, symbol)
  -- What a bust or a late sale could not take from the customer, the firm owes.
  left join (select t.account_id, e.asset as symbol, sum(e.amount) as owed
               from ledger_transfers t
               join ledger_entries e using (transfer_id)
              where e.book = 'firm.suspense'
                and t.account_id is not null
              group by t.account_id, e.asset) d using (account_id, symbol)
 where coalesce(s.avail + s.held, 0) <> coalesce(f.qty, 0) - coalesce(d.owed, 0)
