-- rows
select count(*) from ledger_shares
-- violations
select 'account ' || coalesce(s.account_id, o.account_id) || ', ' || coalesce(s.symbol, o.symbol) as subject,
       'holds ' || coalesce(s.held, 0) || ', its open sells can still deliver ' || coalesce(o.leaves, 0) as problem
  from ledger_shares s
  full join (select account_id, symbol, sum(hold) as leaves
               from order_holds
              where side = 'sell'
                and status not in ('filled', 'canceled', 'expired', 'rejected', 'replaced')
              group by account_id, symbol) o using (account_id, symbol)
 where coalesce(s.held, 0) <> coalesce(o.leaves, 0)
