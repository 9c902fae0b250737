-- rows
select count(*) from orders
-- violations
select 'order ' || coalesce(o.chain_id, h.chain_id) as subject,
       coalesce(o.statuses, 'not there') || ', holds ' || coalesce(h.held, 0) || ', should hold ' || coalesce(o.hold, 0) as problem
  from (select chain_id, sum(hold) as hold, string_agg(status, ', ' order by order_id) as statuses
          from order_holds
         group by chain_id) o
  -- One hold a chain: the orders of a replace hold together (BP-4).
  full join (select coalesce(c.chain_id, t.order_id) as chain_id, sum(e.amount) as held
               from ledger_transfers t
               join ledger_entries e using (transfer_id)
               left join orders c using (order_id)
              where t.order_id is not null
                and e.book in ('cust.cash.held', 'cust.sec.held')
              group by coalesce(c.chain_id, t.order_id)) h using (chain_id)
 where coalesce(h.held, 0) <> coalesce(o.hold, 0)
