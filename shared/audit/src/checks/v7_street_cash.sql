-- rows
select count(*) from ledger_trades
-- violations
select 'street.cash.' || b.book as subject,
       'is ' || b.booked || ', the trades come to ' || b.traded as problem
  from (select coalesce(sum(amount) filter (where book = 'street.cash.pending'), 0) as pending,
               coalesce(sum(amount) filter (where book = 'street.cash.settled'), 0) as settled
          from ledger_entries
         where book in ('street.cash.pending', 'street.cash.settled')) e
 cross join (select coalesce(sum(signed) filter (where settled_at is null), 0) as pending,
                    coalesce(sum(signed) filter (where settled_at is not null), 0) as settled
               from (select case side when 'buy' then cash else -cash end as signed, settled_at
                       from ledger_trades) s) t
 -- What is disputed with the street is in suspense until it is decided (LED-20, LED-21).
 cross join (select coalesce(sum(e.amount), 0) as disputed
               from ledger_entries e
               join ledger_transfers x using (transfer_id)
              where e.book in ('firm.suspense', 'firm.error')
                and e.asset = 'USD'
                and (x.kind in ('unknown_execution', 'missing_theirs', 'found_theirs', 'assigned', 'to_error')
                     or (x.kind = 'bust' and x.account_id is null))) d
 cross join lateral (values ('pending', e.pending, t.pending - d.disputed),
                            ('settled', e.settled, t.settled)) as b (book, booked, traded)
 where b.booked <> b.traded
