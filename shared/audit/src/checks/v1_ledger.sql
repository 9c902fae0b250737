-- rows
select count(*) from ledger_entries
-- violations
select 'all of ' || asset as subject,
       'the ledger leaves ' || sum(amount) as problem
  from ledger_entries
 group by asset
having sum(amount) <> 0
