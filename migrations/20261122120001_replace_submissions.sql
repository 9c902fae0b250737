-- owner: executor
-- A replacement is handed in by asking the venue to put it in another order's place, which it knows by this name.
alter table venue_submissions
    add column replaces           uuid,
    add column replaces_at_venue  text;
