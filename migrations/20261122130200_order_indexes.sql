-- owner: orders
-- Indexes for the end of very many orders at once. Safe while older code runs; each index is built under a lock that keeps
-- writers of its table waiting, so on a large installation in a quiet hour.

-- The few orders that replace one or are replaced: who ends many orders asks for those among them (BP-4). On columns that
-- change for such orders alone, so that the updates of all others stay HOT.
create index orders_linked on orders (order_id) where replaces is not null or replacement_id is not null;

-- An order's events by its account: events of one account are written together, so their entries lie together, too.
drop index order_events_order;
create index order_events_order on order_events (account_id, order_id, seq);
