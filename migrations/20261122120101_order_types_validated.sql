-- owner: orders
-- By itself, after the commit of what it validates: it reads the whole table, and orders are written meanwhile.
alter table orders validate constraint orders_notional_check;
alter table orders validate constraint orders_order_type_check;
