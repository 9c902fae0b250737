-- rows
select count(*) from ledger_fee_accruals
-- violations
select 'trade ' || a.transfer_id as subject,
       'of ' || a.trade_date || ' accrued ' || f.kind || ' ' || f.accrued || ', its rate says ' || coalesce(x.fee::text, 'nothing: there is none')
       as problem
  from ledger_fee_accruals a
  join ledger_trades t using (transfer_id)
 cross join lateral (values ('sec', a.sec), ('taf', a.taf), ('cat', a.cat)) as f (kind, accrued)
  left join fee_rates r on r.kind = f.kind
                       and a.trade_date between r.valid_from and coalesce(r.valid_to, 'infinity')
 cross join lateral (select case when (r.side = 'sell' and t.side = 'buy')
                                   or (r.kind = 'taf' and a.price < r.rate)
                                   or abs(t.qty) * a.price <= r.waived_dollars
                                   or abs(t.qty) <= r.waived_shares then 0
                                 else sign(t.qty) * least(r.cap, r.rate * abs(t.qty)
                                                                 * case r.per when 'dollar' then a.price else 1 end)
                             end as fee) x
 -- A trade of a date without rates waits for them.
 where f.accrued is not null
   and f.accrued is distinct from x.fee
