-- owner: orders
-- An execution that the venue corrected keeps its row and its id; what it was told to be before stands in order_events.
-- Safe while older programs run: both columns have a default.
alter table fills
    add column corrections  integer not null default 0,
    add column corrected_at timestamptz;
