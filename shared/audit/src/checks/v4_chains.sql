-- rows
select count(*) from orders where replaces is not null
-- violations
-- ORD-8: two orders that name each other, of the same kind, and of which one has the place.
select 'order ' || n.order_id as subject,
       case when o.order_id is null then 'replaces ' || n.replaces || ', which is not there'
            when (n.account_id, n.symbol, n.side) <> (o.account_id, o.symbol, o.side)
            then 'replaces ' || n.replaces || ' of another account, symbol or side'
            when n.chain_id is distinct from coalesce(o.chain_id, o.order_id)
            then 'is of the chain ' || coalesce(n.chain_id::text, 'of nobody') || ', and ' || n.replaces || ' of another'
            when o.status = 'replaced'
            then 'has the place of ' || n.replaces || ', which says ' || coalesce(o.replaced_by::text, 'nobody')
                 || '; it carries ' || n.carried_qty
            else 'is ' || n.status || ' and waits for the place of ' || n.replaces || ', which was never asked for or is answered'
       end as problem
  from orders n
  left join orders o on o.order_id = n.replaces
 where n.replaces is not null
   and (o.order_id is null
        or (n.account_id, n.symbol, n.side) <> (o.account_id, o.symbol, o.side)
        or n.chain_id is distinct from coalesce(o.chain_id, o.order_id)
        or (o.replacement_id = n.order_id and o.status = 'replaced'
            and (o.replaced_by is distinct from n.order_id or n.carried_qty <> o.carried_qty + o.end_filled_qty))
        or (n.status not in ('filled', 'canceled', 'expired', 'rejected', 'replaced')
            and o.replaced_by is distinct from n.order_id
            and (o.replacement_id is distinct from n.order_id or o.replace_requested_at is null)))
 union all
select 'order ' || order_id,
       'is ' || status || ' and says that ' || replaced_by || ' replaced it'
  from orders
 where replaced_by is not null
   and (status <> 'replaced' or replaced_at is null or replace_requested_at is not null)
