-- rows
select count(*) from ledger_shares
-- violations
select coalesce(c.symbol, h.symbol) as subject,
       'customers own ' || coalesce(c.shares, 0) || ', the firm ' || coalesce(h.firm, 0) || ', the street says '
       || coalesce(h.street, 0) as problem
  from (select symbol, sum(avail + held) as shares
          from ledger_shares
         group by symbol) c
  full join (select asset as symbol,
                    sum(amount) filter (where book in ('firm.suspense', 'firm.error')) as firm,
                    -sum(amount) filter (where book in ('street.sec.pending', 'street.sec.settled')) as street
               from ledger_entries
              where account_id is null
                and asset <> 'USD'
              group by asset) h using (symbol)
 -- LED-I5.
 where coalesce(c.shares, 0) + coalesce(h.firm, 0) <> coalesce(h.street, 0)
