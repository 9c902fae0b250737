-- rows
select count(*) from recon_breaks
-- violations
select 'break ' || break_no as subject,
       kind || ' of ' || subject || ' on ' || session_date || ' has neither an owner nor an explanation, and nothing is known of it'
       as problem
  from recon_breaks
 where closed_at is null
   and owner is null
   and explanation is null
   and note in ('found', 'found again')
 union all
-- A wait without a break: the day was compared after it began to wait.
select 'report ' || s.report_id,
       'execution ' || (s.payload::json ->> 'exec_id') || ' is in suspense since ' || s.at || ' and has no break'
  from venue_reports_set_aside s
  join recon_days d on d.venue = s.payload::json ->> 'venue'
                   and d.session_date = ((s.payload::json ->> 'at')::timestamptz at time zone 'America/New_York')::date
                   and d.compared_at > s.at
 where s.resolved_at is null
   and s.payload::json ->> 'fact' in ('filled', 'unmatched')
   -- Nothing is in suspense for these.
   and s.kind not in ('contradiction', 'busted_before')
   and not exists (select from recon_breaks b
                    where b.venue = d.venue
                      and b.subject = s.payload::json ->> 'exec_id'
                      and b.closed_at is null)
