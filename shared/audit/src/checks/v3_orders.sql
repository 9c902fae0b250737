-- rows
select count(*) from orders
-- violations
select 'order ' || o.order_id as subject,
       case when c.order_id is distinct from o.order_id
            then 'its client_order_id ' || o.client_order_id || ' names ' || coalesce(c.order_id::text, 'nothing')
            when h.held is distinct from case o.side when 'buy' then ceil(o.qty * o.limit_price * 100) / 100 else o.qty end
            then 'its hold was ' || coalesce(h.held::text, 'never made') || ' for ' || o.qty || ' @ ' || o.limit_price
            else 'its first event is ' || coalesce(f.event, 'missing')
       end as problem
  from orders o
  left join order_client_ids c using (account_id, client_order_id)
  left join (select t.order_id, sum(e.amount) as held
               from ledger_transfers t
               join ledger_entries e using (transfer_id)
              where t.kind = 'hold'
                and e.book in ('cust.cash.held', 'cust.sec.held')
              group by t.order_id) h on h.order_id = o.order_id
  left join (select distinct on (order_id) order_id, account_id, event
               from order_events
              order by order_id, seq) f on f.order_id = o.order_id and f.account_id = o.account_id
 where c.order_id is distinct from o.order_id
    or h.held is distinct from case o.side when 'buy' then ceil(o.qty * o.limit_price * 100) / 100 else o.qty end
    or f.event is distinct from 'accepted'
