-- rows
select count(*) from trading_sessions
-- violations
select t.calendar || ' ' || t.session_date as subject,
       case x.kind when 'closed' then 'has a session, and ' || x.added_by || ' closed the day'
                   else 'closes at ' || t.closes_at || ', and ' || x.added_by || ' said ' || x.closes_at || ' New York' end as problem
  from session_exceptions x
  join trading_sessions t on t.session_date = x.day
 where x.kind = 'closed'
    or t.closes_at > (x.day + x.closes_at) at time zone 'America/New_York'
