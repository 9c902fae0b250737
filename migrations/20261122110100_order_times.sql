-- owner: orders
-- When an order goes to the exchange and when its life ends by itself. Older programs go on writing while this is
-- rolled out: they do not know the columns, so two triggers fill them in. A later migration takes the triggers away.
alter table orders
    add column submit_at       timestamptz,                    -- held back until then; null: sent in its session
    add column expires_at      timestamptz,                    -- its close, its age (TIF-2), or what was asked (TIF-5); null:
                                                               -- older than the column, usual_expiry() says it
    add column explicit_expiry boolean not null default false; -- asked for in the request

-- Still inserted and deleted only, so that its indexes never need a second look.
alter table open_orders
    add column session_date  date,
    add column time_in_force text,
    add column expires_at    timestamptz; -- for gtc and for what was asked; null: ends with its session
create index open_orders_session on open_orders (session_date, account_id, order_id);
create index open_orders_expires on open_orders (expires_at, account_id, order_id) where expires_at is not null;

-- The rule without the calendar's holidays and half days, for rows of programs that do not write it themselves: the
-- usual close, or 16:15 on the weekday at or before the 90th day (TIF-2). On a day without trading it ends nothing
-- that could have traded.
create function usual_expiry(time_in_force text, session_date date, created_at timestamptz) returns timestamptz
    language sql immutable as $$
    select case when time_in_force = 'gtc' then
        (aged - greatest(extract(isodow from aged)::int - 5, 0) + time '16:15') at time zone 'America/New_York'
    else
        (session_date + time '16:00') at time zone 'America/New_York'
    end
      from (select (created_at at time zone 'America/New_York')::date + 90) as ninetieth (aged)
$$;

create function orders_fill_in_expiry() returns trigger language plpgsql as $$
begin
    new.expires_at := usual_expiry(new.time_in_force, new.session_date, new.created_at);
    return new;
end
$$;
create trigger orders_of_older_programs before insert on orders
    for each row when (new.expires_at is null) execute function orders_fill_in_expiry();

create function open_orders_fill_in_times() returns trigger language plpgsql as $$
begin
    select o.session_date, o.time_in_force,
           case when o.time_in_force = 'gtc' or o.explicit_expiry
                then coalesce(o.expires_at, usual_expiry(o.time_in_force, o.session_date, o.created_at)) end
      into new.session_date, new.time_in_force, new.expires_at
      from orders o
     where o.order_id = new.order_id;
    return new;
end
$$;
create trigger open_orders_of_older_programs before insert on open_orders
    for each row when (new.session_date is null) execute function open_orders_fill_in_times();
