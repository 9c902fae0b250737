-- rows
select count(*) from bus_positions
-- violations
select p.consumer_group || ' on ' || p.topic as subject,
       count(*) || ' messages not read, the oldest of ' || min(o.created_at) as problem
  from bus_positions p
  join outbox o on o.topic = p.topic and o.partition = p.partition and (o.xid, o.id) > (p.xid, p.id)
 group by p.consumer_group, p.topic
