-- owner: executor
-- Whether a venue is called: one row a venue, shared by all executors. Written when something changes, never per call:
-- whoever changes the state names the version it saw, so that of two who learn the same thing one writes it.
-- Safe while older programs run: they do not know the table.
create table venue_breakers (
    venue        text primary key,
    state        text not null default 'closed',    -- closed, open, half_open
    version      bigint not null default 0,         -- one more with each change of the state
    outages      integer not null default 0,        -- times it was opened since it was last closed
    opened_at    timestamptz,                       -- when it was last closed before; null while it is
    until        timestamptz,                       -- open: probes may go from then on; half_open: somebody else may probe
                                                    -- from then on; null while open: until an operator closes it
    paused_until timestamptz,                       -- the venue asked for a pause (429), whatever the state
    cause        text not null default '',
    changed_by   text not null default '',
    changed_at   timestamptz not null default daybook_now(),
    constraint venue_breakers_state_check check (state in ('closed', 'open', 'half_open'))
);

grant select, insert, update on venue_breakers to daybook_app;
