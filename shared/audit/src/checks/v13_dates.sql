-- rows
select count(*) from eod_dates
-- violations
select d.business_date::text as subject,
       case when s.done < 11 then 'is closed with ' || s.done || ' of 11 steps before it'
            when p.business_date is null then 'is closed without a proof'
            else 'is closed, and nobody answered for ' || u.unresolved || ' unresolved orders' end as problem
  from eod_dates d
 cross join lateral (select count(*) as done
                       from eod_steps s
                      where s.business_date = d.business_date
                        and s.step <= 11
                        and s.done_at is not null) s
 cross join lateral (select count(*) as unresolved
                       from eod_unresolved u
                      where u.business_date = d.business_date
                        and u.resolved_at is null) u
  left join eod_proofs p on p.business_date = d.business_date
 where d.state = 'closed'
   and (s.done < 11 or p.business_date is null or (u.unresolved > 0 and d.overridden_at is null))
