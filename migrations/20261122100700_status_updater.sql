-- owner: status-updater
-- How far the venue's own reports were read, and reports that no rule allows.
create table venue_cursors (
    venue            text primary key,
    stream_event_id  text,                  -- last trade update written to the bus
    activity_id      text,                  -- last polled execution written to the bus
    updated_at       timestamptz not null
);

create table venue_reports_set_aside (
    report_id   uuid primary key,
    order_id    uuid,
    account_id  uuid,
    payload     text not null,
    cause       text not null,
    at          timestamptz not null,
    resolved_at timestamptz
);

grant select, insert, update on venue_cursors, venue_reports_set_aside to daybook_app;
