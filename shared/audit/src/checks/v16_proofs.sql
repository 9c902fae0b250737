-- rows
select count(*) from eod_proofs
-- violations
select p.business_date::text as subject,
       case when p.number <> p.place then 'is proof ' || p.number || ' and stands at place ' || p.place
            when p.former <> p.before then 'does not follow from the digest of the proof before it'
            else 'its digest is not that of its content' end as problem
  from (select business_date, number, content, former, digest,
               coalesce(lag(digest) over (order by number), '') as before,
               row_number() over (order by number) as place
          from eod_proofs) p
 where p.number <> p.place
    or p.former <> p.before
    or p.digest <> encode(sha256(convert_to(p.number || E'\n' || to_char(p.business_date, 'YYYY-MM-DD') || E'\n'
                                            || p.former || E'\n' || p.content, 'UTF8')), 'hex')
