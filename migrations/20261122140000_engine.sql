-- owner: bus
-- Which engine carries events to their consumers, and since when. Positions mean the same on both. A process that is set to the
-- other one changes this row, but only once nobody works on the old one any more.
create table bus_engine (
    only_row boolean primary key default true check (only_row),
    engine   text not null default 'postgres' check (engine in ('postgres', 'kafka')),
    since    timestamptz not null default daybook_now()
);
insert into bus_engine default values;

grant select, update on bus_engine to daybook_app;
-- Whoever goes back to the Postgres engine takes the relay off, so that nothing is kept for it.
grant delete on bus_positions to daybook_app;
