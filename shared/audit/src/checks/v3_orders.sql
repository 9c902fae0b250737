-- rows
select count(*) from orders
-- violations
select 'order ' || o.order_id as subject,
       case when c.order_id is distinct from o.order_id
            then 'its client_order_id ' || o.client_order_id || ' names ' || coalesce(c.order_id::text, 'nothing')
            when x.as_asked
                 and h.held is distinct from case o.side when 'buy' then ceil(o.qty * o.limit_price * 100) / 100 else o.qty end
            then 'its hold was ' || coalesce(h.held::text, 'never made') || ' for ' || o.qty || ' @ ' || o.limit_price
            else 'its first event is ' || coalesce(f.event, 'missing')
       end as problem
  from orders o
  -- What a replacement holds, and how it begins, depends on the order it replaces (v2_order_holds, v4_transitions). A
  -- quantity that fills overtook is not the one that was asked for.
 cross join lateral (select o.replaces is null as first, o.replaces is null and not o.overtaken as as_asked) x
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
    or (x.as_asked
        and h.held is distinct from case o.side when 'buy' then ceil(o.qty * o.limit_price * 100) / 100 else o.qty end)
    or (x.first and f.event is distinct from 'accepted')
