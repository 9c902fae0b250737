-- owner: orders
-- The trace that an order was placed in: W3C traceparent, null where nothing is traced. What comes back from the exchange
-- carries none, and is joined by this. Safe while older programs run: they neither write nor read it.
alter table orders add column trace_context varchar(55);
