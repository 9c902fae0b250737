-- owner: executor
-- The trace that an order was placed in, as the bus brought it: so that a call is part of it under another owner, too.
-- Safe while older programs run: they neither write nor read it.
alter table venue_submissions add column trace_context varchar(55);
