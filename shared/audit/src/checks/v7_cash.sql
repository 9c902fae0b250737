-- rows
select count(*) from ledger_cash
-- violations
select 'account ' || c.account_id as subject,
       'cash is ' || c.avail + c.held + c.unsettled || ', and ' || x.came || ' in - ' || x.went || ' out - '
       || c.wd_pending || ' on its way out - ' || x.bought || ' bought + ' || x.sold || ' sold - ' || x.fees || ' of fees + '
       || x.assigned || ' assigned' as problem
  from ledger_cash c
  left join (select t.account_id,
                    -sum(e.amount) filter (where t.kind = 'deposit_collected') as came,
                    sum(e.amount) filter (where t.kind = 'withdrawal_paid') as went
               from ledger_transfers t
               join ledger_entries e using (transfer_id)
              where e.book = 'bank.fbo'
              group by t.account_id) m using (account_id)
  left join (select account_id,
                    sum(posted_cash) filter (where side = 'buy') as bought,
                    sum(posted_cash) filter (where side = 'sell') as sold
               from orders
              group by account_id) o using (account_id)
  -- Executions that nobody knew and that turned out to be the customer's (LED-20).
  left join (select t.account_id, sum(e.amount) as assigned
               from ledger_transfers t
               join ledger_entries e using (transfer_id)
              where t.kind = 'assigned'
                and e.account_id is not null
                and e.asset = 'USD'
              group by t.account_id) g using (account_id)
  left join (select t.account_id, -sum(e.amount) as fees
               from ledger_transfers t
               join ledger_entries e using (transfer_id)
              where t.kind = 'fees'
                and e.account_id is not null
              group by t.account_id) f using (account_id)
 cross join lateral (select coalesce(m.came, 0) as came, coalesce(m.went, 0) as went,
                            coalesce(o.bought, 0) as bought, coalesce(o.sold, 0) as sold,
                            coalesce(f.fees, 0) as fees, coalesce(g.assigned, 0) as assigned) x
 where c.avail + c.held + c.unsettled <> x.came - x.went - c.wd_pending - x.bought + x.sold - x.fees + x.assigned
