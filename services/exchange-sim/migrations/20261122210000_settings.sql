-- owner: exchange-sim
-- What was set by hand and outlives a restart: how far the clock is off, whether nobody can reach the exchange.

create table sim_settings (
    only_row        boolean primary key default true constraint sim_settings_one_row check (only_row),
    clock_offset_ms bigint not null,
    outage          boolean not null
);

insert into sim_settings (clock_offset_ms, outage) values (0, false);
