-- rows
select count(*) from ledger_cash
-- violations
select 'account ' || coalesce(c.account_id, o.account_id) as subject,
       'holds ' || coalesce(c.held, 0) || ', its open buys can still cost ' || coalesce(o.hold, 0) as problem
  from ledger_cash c
  full join (select account_id, sum(hold) as hold
               from order_holds
              where side = 'buy'
                and status not in ('filled', 'canceled', 'expired', 'rejected', 'replaced')
              group by account_id) o using (account_id)
 where coalesce(c.held, 0) <> coalesce(o.hold, 0)
