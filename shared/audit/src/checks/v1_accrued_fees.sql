-- rows
select count(*) from ledger_cash
-- violations
select 'account ' || coalesce(c.account_id, a.account_id) as subject,
       'has ' || coalesce(c.accrued_fees, 0) || ' of fees to come, its accruals say ' || coalesce(a.fees, 0) as problem
  from ledger_cash c
  full join (select account_id, sum(coalesce(sec + taf + cat, 0)) as fees
               from ledger_fee_accruals
              where posted_at is null
              group by account_id) a using (account_id)
 where coalesce(c.accrued_fees, 0) <> coalesce(a.fees, 0)
