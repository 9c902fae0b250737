-- owner: executor
-- When an order may be sent at the earliest, and from when on it may not be sent any more.
alter table venue_submissions
    add column submit_at  timestamptz,      -- not before this, and not outside its session
    add column expires_at timestamptz;      -- null: its session's end is the only one
