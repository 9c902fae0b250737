-- owner: exchange-sim
-- What odd orders need. A print that was told of late has its own time beside the report's. A key may be forgotten, so
-- that its name can be used again; whoever looks the name up finds the order of the others. Lists are paged by time: a
-- tree finds a page's beginning among a million orders at once, where the ranges it replaces were read one by one.

alter table sim_events add column executed_at timestamptz;

alter table sim_orders add column key_forgotten boolean not null default false;
alter table sim_orders drop constraint sim_orders_client_order_id_key;
create unique index sim_orders_client_order_id_key on sim_orders (client_order_id) where not key_forgotten;

drop index sim_orders_submitted_at;
create index sim_orders_submitted_at on sim_orders (submitted_at);
