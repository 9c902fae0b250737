-- rows
select count(*) from orders
-- violations
select 'order ' || coalesce(o.order_id, h.order_id) as subject,
       coalesce(o.status, 'not there') || ', holds ' || coalesce(h.held, 0) || ', should hold ' || coalesce(o.hold, 0) as problem
  from (select order_id, status,
               case when status in ('filled', 'canceled', 'expired', 'rejected', 'replaced') then 0
                    when side = 'sell' then qty - filled_qty
                    else ceil((filled_notional + (qty - filled_qty) * limit_price) * 100) / 100 - posted_cash
               end as hold
          from orders) o
  full join (select t.order_id, sum(e.amount) as held
               from ledger_transfers t
               join ledger_entries e using (transfer_id)
              where t.order_id is not null
                and e.book in ('cust.cash.held', 'cust.sec.held')
              group by t.order_id) h using (order_id)
 where coalesce(h.held, 0) <> coalesce(o.hold, 0)
