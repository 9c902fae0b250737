-- owner: risk
-- The largest part of a symbol's average daily volume that one order may ask for (RSK-3). Safe while older programs run: they leave
-- the column alone.
alter table risk_settings add column max_volume_share numeric; -- of 1: five percent is 0.05
alter table risk_settings add constraint risk_settings_volume_share_check check (max_volume_share > 0);
