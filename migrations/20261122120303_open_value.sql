-- owner: orders
-- What an account's open orders may still trade, and at which limits, found without looking at each: for the limit on open
-- value (RSK-3) and the check against trading with oneself (RSK-5). Older programs go on writing while this is rolled
-- out: a trigger fills in the limit they do not know, and the value they do not keep starts anew whenever an account has
-- no open order.
alter table account_sequences
    add column open_value numeric not null default 0; -- shares left times limit, over all open orders

alter table open_orders
    add column limit_price numeric; -- inserted and deleted only, as the rest of the row
update open_orders w
   set limit_price = o.limit_price
  from orders o
 where o.order_id = w.order_id;
alter table open_orders alter column limit_price set not null;
create index open_orders_crossing on open_orders (account_id, symbol, side, limit_price, order_id);

update account_sequences s
   set open_value = v.open_value
  from (select o.account_id, sum((o.qty - o.carried_qty - o.filled_qty) * o.limit_price) as open_value
          from open_orders w
          join orders o on o.order_id = w.order_id
         group by o.account_id) v
 where v.account_id = s.account_id;

create function open_orders_fill_in_limit() returns trigger language plpgsql as $$
begin
    select o.limit_price
      into new.limit_price
      from orders o
     where o.order_id = new.order_id;
    return new;
end
$$;
create trigger open_orders_limits_of_older_programs before insert on open_orders
    for each row when (new.limit_price is null) execute function open_orders_fill_in_limit();
