-- rows
select (select count(*) from ledger_cash) + (select count(*) from ledger_shares)
-- violations
select 'account ' || account_id as subject,
       'avail ' || avail || ', held ' || held || ', unsettled ' || unsettled || ', pending in ' || dep_pending
       || ', pending out ' || wd_pending || ', and not flagged' as problem
  from ledger_cash
 where (avail < 0 and not debit_allowed)
    or least(held, unsettled, dep_pending, wd_pending) < 0
 union all
select 'account ' || account_id || ', ' || symbol,
       'avail ' || avail || ', held ' || held
  from ledger_shares
 where least(avail, held) < 0
