-- owner: db
-- The database's time is one function, so that tests can move it; bare now() is banned by the tidy test.
-- The group role holds every run-time grant; the login role of an installation is a member of it.
-- Safe while older code runs: first migration.
do $$
begin
    if not exists (select from pg_roles where rolname = 'daybook_app') then
        create role daybook_app nologin;
    end if;
exception
    when duplicate_object or unique_violation then null;  -- another database of the cluster was quicker
end $$;

create table db_clock (
    only_row     boolean primary key default true check (only_row),
    clock_offset interval not null default '0'
);
insert into db_clock default values;

create function daybook_now() returns timestamptz
    language sql stable
    as $$ select clock_timestamp() + clock_offset from db_clock $$;

grant usage on schema public to daybook_app;
grant select on db_clock to daybook_app;
