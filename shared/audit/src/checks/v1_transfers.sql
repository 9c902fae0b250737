-- rows
select count(*) from ledger_entries
-- violations
select 'transfer ' || transfer_id as subject,
       'leaves ' || sum(amount) || ' ' || asset as problem
  from ledger_entries
 group by transfer_id, asset
having sum(amount) <> 0
