-- owner: bus
-- As before, but several processes may start at once, and make the same days.
create or replace function bus_ensure_outbox_partitions(first_day date, days integer) returns integer
    language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '500ms'
    as $$
declare
    day  date;
    made integer := 0;
    name text;
begin
    -- Held until the end of the transaction, which is short. Without it two would make the same table side by side.
    perform pg_advisory_xact_lock(hashtext('bus_ensure_outbox_partitions'));
    for day in select first_day + n from generate_series(0, days - 1) n loop
        name := 'outbox_' || to_char(day, 'YYYYMMDD');
        if to_regclass(name) is null then
            begin
                execute format('create table %I (like outbox including defaults including indexes)', name);
                execute format('alter table outbox attach partition %I for values from (%L) to (%L)',
                    name, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
                made := made + 1;
            exception
                when check_violation then raise warning 'outbox_default already has rows of %', day;
            end;
        end if;
    end loop;
    return made;
end $$;
