-- owner: orders
-- Replace (ORD-8): an order that takes another one's place, linked both ways. The old order works until the venue says that
-- the new one has its place; what the chain can still cost is held once.
-- Safe while older programs run: every column has a default or may be null, and no row is written or looked at.
alter table orders
    add column chain_id             uuid,        -- the first order of the chain; null: it replaces none
    add column replaces             uuid,        -- the order whose place it takes or took
    add column replacement_id       uuid,        -- the last order asked for in its place
    add column replace_requested_at timestamptz, -- a wish, until the venue has answered
    add column replaced_by          uuid,        -- the order that took its place
    add column replaced_at          timestamptz,
    add column overtaken            boolean not null default false, -- fills overtook its replace: no more of it is wanted (ORD-9)
    add column carried_qty          numeric not null default 0,     -- filled along the chain when it took over; part of qty
    add constraint orders_carried_check check (carried_qty >= 0 and carried_qty + filled_qty <= qty) not valid;

-- What each order has set aside, by the rules (BP-1, BP-3, BP-4, BP-5); the ledger must agree with its sums by chain. A
-- replacement whose old order has not given way holds what the chain may cost beyond that one's hold: `leaves` can still trade
-- on the old order, `room` on the new one, and once the new one has filled the old one does not live on.
create view order_holds as
select o.order_id, coalesce(o.chain_id, o.order_id) as chain_id, o.account_id, o.symbol, o.side, o.status,
       case when p.order_id is null and w.over then 0
            when p.order_id is null and o.side = 'sell' then o.qty - o.carried_qty - o.filled_qty
            when p.order_id is null
            then ceil((o.filled_notional + (o.qty - o.carried_qty - o.filled_qty) * o.limit_price) * 100) / 100 - o.posted_cash
            when w.over and o.filled_qty = 0 then 0
            when o.side = 'sell' and w.over then least(w.leaves, w.room) - w.leaves
            when o.side = 'sell' then greatest(case when o.filled_qty = 0 then w.leaves else 0 end, w.room) - w.leaves
            when w.over
            then ceil((o.filled_notional + (least(w.leaves, w.room) - w.leaves) * p.limit_price) * 100) / 100 - o.posted_cash
            else ceil((o.filled_notional - w.leaves * p.limit_price
                       + greatest(case when o.filled_qty = 0 then w.leaves * p.limit_price else 0 end,
                                  w.room * o.limit_price,
                                  least(w.leaves, w.room) * p.limit_price
                                  + (w.room - least(w.leaves, w.room)) * o.limit_price)) * 100) / 100 - o.posted_cash
       end as hold
  from orders o
  left join orders p on p.order_id = o.replaces and p.status <> 'replaced'
 cross join lateral (
       select o.status in ('filled', 'canceled', 'expired', 'rejected', 'replaced') as over,
              case when p.status in ('filled', 'canceled', 'expired', 'rejected') then 0
                   else p.qty - p.carried_qty - p.filled_qty end as leaves,
              greatest(o.qty - p.carried_qty - p.filled_qty - o.filled_qty, 0) as room) w;

grant select on order_holds to daybook_app;
