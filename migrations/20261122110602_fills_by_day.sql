-- owner: orders
-- A day's fills, for reconciliation. They come nearly in order of time, so block ranges do: no cost on the hot path.
create index fills_venue_at on fills using brin (venue_at);
