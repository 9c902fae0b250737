-- rows
select count(*) from ledger_cash
-- violations
select 'account ' || c.account_id as subject,
       'has ' || c.unsettled || ' of unsettled proceeds, and '
       || case when c.strict then 'its sales that have not settled came to ' || coalesce(s.cash, 0)
               else 'is no cash_strict account' end as problem
  from ledger_cash c
  left join (select account_id, sum(greatest(cash, 0)) as cash
               from (select account_id, settle_date, sum(cash) as cash
                       from ledger_trades
                      where side = 'sell'
                        and settled_at is null
                      group by account_id, settle_date) day
              group by account_id) s using (account_id)
 -- Fees and busts may have taken some of it.
 where c.unsettled > case when c.strict then coalesce(s.cash, 0) else 0 end
