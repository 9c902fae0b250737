-- owner: orders
-- Gives the open orders from before the columns their times; the triggers beside them see to every later row. No row of
-- orders is written: there may be many millions, and customers' orders would wait for it. Those from before the column keep
-- none, and who reads one asks usual_expiry().
update open_orders w
   set session_date = o.session_date,
       time_in_force = o.time_in_force,
       expires_at = case when o.time_in_force = 'gtc'
                         then usual_expiry(o.time_in_force, o.session_date, o.created_at) end
  from orders o
 where o.order_id = w.order_id
   and w.session_date is null;
alter table open_orders
    alter column session_date set not null,
    alter column time_in_force set not null;
