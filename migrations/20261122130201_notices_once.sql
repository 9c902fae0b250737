-- owner: notifier
-- A notice's id is made from order, kind and execution, so the primary key keeps it single (V14, EOD-2) and a second unique
-- index of the three only costs. Older programs insert with "on conflict do nothing", which the primary key answers.
alter table notices drop constraint notices_once_key;
