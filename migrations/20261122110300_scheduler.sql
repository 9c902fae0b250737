-- owner: scheduler
-- Jobs: when each is due, every run of it with its log lines, and what an operator has to know.
-- Safe while older code runs: new tables only.
create table job_schedules (
    name          text primary key,
    job           text not null,                -- the kind of job
    spec          text not null,                -- `0 3 * * *`, `close + 10m`, `at 2026-11-23T21:00:00Z`, `by hand`
    made_by       text not null,                -- configuration rows are renewed at each start, api rows are an operator's
    arguments     jsonb not null default '{}',
    missed        text not null,
    attempts_max  integer not null,
    time_limit_ms bigint,                       -- of one attempt
    over_time     text not null,
    since         timestamptz not null,         -- a tick before it is nobody's
    planned_to    timestamptz not null,         -- ticks up to here have their run, or were passed over by policy
    planned_date  date,                         -- the same for sessions: a session has one tick, whenever it closes
    next_tick     timestamptz,                  -- to be read by people
    paused_at     timestamptz,
    constraint job_schedules_made_by_check check (made_by in ('configuration', 'api')),
    constraint job_schedules_missed_check check (missed in ('each', 'last', 'skip')),
    constraint job_schedules_over_time_check check (over_time in ('alert', 'kill')),
    constraint job_schedules_attempts_check check (attempts_max > 0)
);

-- A run carries all it needs: its schedule may change or go meanwhile.
create table job_runs (
    run_id           uuid primary key,
    schedule         text not null,
    job              text not null,
    tick             timestamptz not null,
    session_date     date,                      -- of a tick that follows a session
    arguments        jsonb not null,
    by_hand          boolean not null,          -- an operator's, not a tick's
    state            text not null default 'waiting',
    due_at           timestamptz not null,
    attempts         integer not null default 0,
    attempts_max     integer not null,
    time_limit_ms    bigint,
    over_time        text not null,
    owner            uuid,
    epoch            bigint not null default 0,
    lease_until      timestamptz not null default '-infinity',
    first_started_at timestamptz,
    started_at       timestamptz,               -- of the last attempt
    finished_at      timestamptz,
    told_over_time   boolean not null default false,
    outcome          text,                      -- summary, cause of the last failure, or what is waited for
    constraint job_runs_state_check check (state in ('waiting', 'running', 'done', 'dead', 'withdrawn')),
    constraint job_runs_tick_key unique (schedule, tick),
    -- A takeover changes a key, so it waits for a transaction that holds the row by `for key share`; a heartbeat does not.
    constraint job_runs_epoch_key unique (run_id, epoch)
);
create unique index job_runs_session_key on job_runs (schedule, session_date) where session_date is not null and not by_hand;
create unique index job_runs_one_running on job_runs (schedule) where state = 'running';
create index job_runs_open on job_runs (due_at, run_id) where state in ('waiting', 'running');
create index job_runs_finished on job_runs (finished_at) where finished_at is not null;

create table job_run_lines (
    line_id bigint generated always as identity primary key,
    run_id  uuid not null references job_runs on delete cascade,
    at      timestamptz not null,
    line    text not null
);
create index job_run_lines_run on job_run_lines (run_id, line_id);

-- At most one open alert about one thing. The id is what a webhook's receiver knows a repeat by.
create table operator_alerts (
    alert_id       uuid primary key,
    kind           text not null,
    subject        text not null,
    message        text not null,
    raised_at      timestamptz not null,
    last_raised_at timestamptz not null,
    times          bigint not null default 1,
    acked_at       timestamptz,
    acked_by       text,
    cleared_at     timestamptz,                 -- what it told of is over
    delivered_at   timestamptz,
    deliveries     integer not null default 0,  -- tried
    deliver_after  timestamptz not null,
    delivery_error text
);
create unique index operator_alerts_open_key on operator_alerts (kind, subject) where cleared_at is null;
create index operator_alerts_raised on operator_alerts (raised_at, alert_id);
create index operator_alerts_undelivered on operator_alerts (deliver_after)
 where delivered_at is null and acked_at is null and cleared_at is null;

grant select, insert, update, delete on job_schedules, job_runs, job_run_lines, operator_alerts to daybook_app;
