-- owner: exchange-sim
-- Parts of shares and replacements. Quantities become billionths of a share, the finest part that can be ordered, so
-- that they stay exact integers; what they cost together no longer fits 64 bits and becomes an amount of dollars.
-- A replacement is an order of its own that knows what the orders before it traded. Open orders come back by priority,
-- which is their number unless a replacement stands where the order before it stood.
-- The exchange has one writer and is down while it migrates, so no old code runs beside this.

alter table sim_orders
    alter column qty type bigint using qty * 1000000000,
    alter column filled_qty type bigint using filled_qty * 1000000000,
    alter column busted_qty type bigint using busted_qty * 1000000000,
    alter column filled_ticks type numeric using filled_ticks * 0.0001,
    add column carried_qty bigint not null default 0 constraint sim_orders_carried check (carried_qty >= 0),
    add column replaces bigint,
    add column replaced_by bigint,
    drop constraint sim_orders_status,
    add constraint sim_orders_status
        check (status in ('accepted', 'pending_new', 'new', 'partially_filled', 'pending_replace', 'filled',
                          'canceled', 'expired', 'rejected', 'replaced'));
alter table sim_orders rename column filled_ticks to filled_amount;

alter table sim_executions
    alter column qty type bigint using qty * 1000000000,
    alter column cum_qty type bigint using cum_qty * 1000000000,
    alter column leaves_qty type bigint using leaves_qty * 1000000000;

alter table sim_events
    alter column qty type bigint using qty * 1000000000,
    alter column filled_qty type bigint using filled_qty * 1000000000,
    alter column filled_ticks type numeric using filled_ticks * 0.0001;
alter table sim_events rename column filled_ticks to filled_amount;

alter table sim_open_orders add column priority bigint;
update sim_open_orders set priority = order_no;
alter table sim_open_orders alter column priority set not null;
create unique index sim_open_orders_priority_key on sim_open_orders (priority);
