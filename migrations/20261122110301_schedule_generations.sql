-- owner: scheduler
-- How new the program is that made a schedule of the configuration: an older one that starts again leaves them alone.
-- Safe while older code runs: it does not name the column, and its schedules are of generation 0.
alter table job_schedules
    add column generation integer not null default 0;
