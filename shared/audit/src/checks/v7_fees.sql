-- rows
select count(*) from ledger_fee_days
-- violations
select 'account ' || coalesce(d.account_id, a.account_id) || ', ' || coalesce(d.trade_date, a.trade_date) as subject,
       'posted ' || k.kind || ' ' || coalesce(k.posted::text, 'never') || ' for ' || coalesce(k.exact::text, 'nothing')
       || ', its posted accruals come to ' || coalesce(k.accrued, 0) as problem
  from ledger_fee_days d
  full join (select account_id, trade_date, sum(sec) as sec, sum(taf) as taf, sum(cat) as cat
               from ledger_fee_accruals
              where posted_at is not null
              group by account_id, trade_date) a using (account_id, trade_date)
 cross join lateral (values ('sec', d.sec, d.sec_exact, a.sec),
                            ('taf', d.taf, d.taf_exact, a.taf),
                            ('cat', d.cat, d.cat_exact, a.cat)) as k (kind, posted, exact, accrued)
 where k.exact is distinct from k.accrued
    or k.posted is distinct from ceil(k.accrued * 100) / 100
 union all
select 'account ' || coalesce(d.account_id, t.account_id) || ', ' || coalesce(d.trade_date, t.trade_date),
       'has posted ' || coalesce(d.fees::text, 'no fees') || ', ' || coalesce(d.from_firm::text, '0') || ' of it from the firm; its transfers say '
       || coalesce(t.fees, 0) || ' and ' || coalesce(t.from_firm, 0)
  from (select account_id, trade_date, sec + taf + cat as fees, from_firm
          from ledger_fee_days) d
  full join (select split_part(t.cause, ':', 2)::uuid as account_id, split_part(t.cause, ':', 3)::date as trade_date,
                    sum(e.amount) filter (where e.book in ('fees.sec', 'fees.taf', 'fees.cat')) as fees,
                    coalesce(-sum(e.amount) filter (where e.book = 'firm.rounding'), 0) as from_firm
               from ledger_transfers t
               join ledger_entries e using (transfer_id)
              where t.kind = 'fees'
              group by 1, 2) t using (account_id, trade_date)
 where coalesce(d.fees, 0) <> coalesce(t.fees, 0)
    or coalesce(d.from_firm, 0) <> coalesce(t.from_firm, 0)
