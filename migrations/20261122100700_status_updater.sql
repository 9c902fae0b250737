-- owner: status-updater
-- How far the venue's own reports were read, and reports that no rule allows.
create table venue_cursors (
    venue            text primary key,
    stream_event_id  text,                  -- last trade update written to the bus
    activity_id      text,                  -- last polled execution written to the bus
    updated_at       timestamptz not null
);

-- The id is computed from the report, so that a repeat meets itself. Few rows, ever: each one is somebody's work.
create table venue_reports_set_aside (
    report_id   uuid primary key,
    kind        text not null,              -- unknown_order, illegal, beyond_limit, contradiction, unreadable, …
    order_id    uuid,
    account_id  uuid,
    payload     text not null,              -- the report as it came
    cause       text not null,
    at          timestamptz not null,
    resolved_at timestamptz                 -- an operator settled it, or a bust made room for it
);
create index venue_reports_set_aside_order on venue_reports_set_aside (order_id) where resolved_at is null;

grant select, insert, update on venue_cursors, venue_reports_set_aside to daybook_app;
