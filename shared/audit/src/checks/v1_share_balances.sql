-- rows
select count(*) from ledger_shares
-- violations
select 'account ' || coalesce(s.account_id, e.account_id) || ', ' || coalesce(s.symbol, e.symbol) as subject,
       b.book || ' is ' || coalesce(b.balance::text, 'missing') || ', its entries sum to ' || coalesce(b.entries, 0) as problem
  from ledger_shares s
  full join (select account_id, asset as symbol,
                    sum(amount) filter (where book = 'cust.sec.avail') as avail,
                    sum(amount) filter (where book = 'cust.sec.held') as held
               from ledger_entries
              where asset <> 'USD'
                and account_id is not null
              group by account_id, asset) e using (account_id, symbol)
 cross join lateral (values ('avail', s.avail, e.avail),
                            ('held', s.held, e.held)) as b (book, balance, entries)
 where b.balance is distinct from coalesce(b.entries, 0)
