-- rows
select count(*) from ledger_cash
-- violations
select 'account ' || c.account_id as subject,
       'has ' || c.unsettled || ' of unsettled proceeds, and '
       || case when c.strict then 'its sales that have not settled came to ' || coalesce(s.cash, 0)
               else 'is no cash_strict account' end as problem
  from ledger_cash c
  -- Less what was taken back of them; what was taken back of sales that have settled came from free cash.
  left join (select t.account_id, sum(greatest(t.cash + coalesce(back.cash, 0), 0)) as cash
               from ledger_trades t
               left join ledger_trades back on back.reverses = t.transfer_id
              where t.side = 'sell'
                and t.settled_at is null
                and t.reverses is null
              group by t.account_id) s using (account_id)
 -- Fees and busts may have taken some of it.
 where c.unsettled > case when c.strict then coalesce(s.cash, 0) else 0 end
