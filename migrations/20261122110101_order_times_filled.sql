-- owner: orders
-- Gives the orders from before the columns their times; the triggers beside them see to every later row.
update orders
   set expires_at = usual_expiry(time_in_force, session_date, created_at)
 where expires_at is null;
update open_orders w
   set session_date = o.session_date,
       time_in_force = o.time_in_force,
       expires_at = case when o.time_in_force = 'gtc' then o.expires_at end
  from orders o
 where o.order_id = w.order_id
   and w.session_date is null;
alter table orders alter column expires_at set not null;
alter table open_orders
    alter column session_date set not null,
    alter column time_in_force set not null;
