-- rows
select count(*) from ledger_trades
-- violations
select 'trade ' || t.transfer_id as subject,
       'of ' || t.trade_date || ', due ' || t.settle_date || ', '
       || case when t.settled_at is null then 'has not settled and has its transfer'
               when s.transfer_id is null then 'settled without a transfer'
               else 'settled early: ' || t.settled_at end as problem
  from ledger_trades t
  left join ledger_transfers s on s.kind = 'settlement'
                              and s.cause = 'settle:' || t.transfer_id
 where (t.settled_at is null) <> (s.transfer_id is null)
    or (t.settled_at at time zone 'America/New_York')::date < t.settle_date
 union all
select 'transfer ' || s.transfer_id,
       s.cause || ' is no trade'
  from ledger_transfers s
 where s.kind = 'settlement'
   and not exists (select from ledger_trades t where s.cause = 'settle:' || t.transfer_id)
