-- owner: sessions
-- The trading calendar as data (CAL-4, CAL-7): what operators changed about it, and every session as it is with that.
-- Safe while older code runs: new tables only.
create table session_exceptions (
    day       date primary key,
    kind      text not null,
    closes_at time,                     -- New York; of an early close only
    reason    text not null,
    added_by  text not null,
    added_at  timestamptz not null,
    constraint session_exceptions_kind_check check (kind in ('closed', 'early_close')),
    constraint session_exceptions_closes_at_check check ((kind = 'early_close') = (closes_at is not null))
);

-- Computed from the rule and the exceptions, and kept in step with them. session_date is the trade date: a session that
-- begins the evening before belongs to the next trade date.
create table trading_sessions (
    calendar     text not null,
    session_date date not null,
    session      text not null,         -- 'regular'; other stretches of a day are further rows
    opens_at     timestamptz not null,
    closes_at    timestamptz not null,
    settle_date  date not null,
    order_types  text[] not null,
    primary key (calendar, session_date, session),
    constraint trading_sessions_bounds_check check (opens_at < closes_at),
    constraint trading_sessions_settle_check check (session_date < settle_date)
);

grant select, insert, update, delete on session_exceptions, trading_sessions to daybook_app;
