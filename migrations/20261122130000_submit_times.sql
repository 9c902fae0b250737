-- owner: orders
-- Orders that wait for a time of their own, found shortly before it for their re-check (TIF-7). Not by status, so that its
-- changes stay off this index: few orders have such a time.
create index orders_submit_at on orders (submit_at, order_id) where submit_at is not null;
