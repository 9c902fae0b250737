-- rows
select count(*) from ledger_transfers
-- violations
select 'transfer ' || coalesce(t.transfer_id, e.transfer_id) as subject,
       case when t.transfer_id is null then 'has entries but no row of its own'
            else 'has no entries' end as problem
  from ledger_transfers t
  full join (select distinct transfer_id from ledger_entries) e using (transfer_id)
 where t.transfer_id is null
    or e.transfer_id is null
