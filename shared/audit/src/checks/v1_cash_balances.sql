-- rows
select count(*) from ledger_cash
-- violations
select 'account ' || coalesce(c.account_id, e.account_id) as subject,
       b.book || ' is ' || coalesce(b.balance::text, 'missing') || ', its entries sum to ' || coalesce(b.entries, 0) as problem
  from ledger_cash c
  full join (select account_id,
                    sum(amount) filter (where book = 'cust.cash.avail') as avail,
                    sum(amount) filter (where book = 'cust.cash.held') as held,
                    sum(amount) filter (where book = 'cust.cash.unsettled') as unsettled,
                    sum(amount) filter (where book = 'cust.cash.dep_pending') as dep_pending,
                    sum(amount) filter (where book = 'cust.cash.wd_pending') as wd_pending
               from ledger_entries
              where asset = 'USD'
                and account_id is not null
              group by account_id) e using (account_id)
 cross join lateral (values ('avail', c.avail, e.avail),
                            ('held', c.held, e.held),
                            ('unsettled', c.unsettled, e.unsettled),
                            ('dep_pending', c.dep_pending, e.dep_pending),
                            ('wd_pending', c.wd_pending, e.wd_pending)) as b (book, balance, entries)
 where b.balance is distinct from coalesce(b.entries, 0)
