-- owner: orders
-- Orders written in dollars, and market orders. limit_price stays what the exchange is asked for, whatever was written:
-- of a market order it is the collar (PX-7). Safe while older code runs: it writes neither. What is
-- there already is validated by the next file, in a transaction of its own: this one blocks all writers.
alter table orders
    add column notional numeric, -- dollars asked for; null: shares were
    add constraint orders_notional_check check (notional > 0) not valid,
    add constraint orders_order_type_check check (order_type in ('limit', 'market')) not valid;
