-- What Daybook and the bundled exchange need before their migrations run: the owner migrates, the service's role works, the
-- exchange is apart. Repeatable; a superuser's psql runs it, with the passwords in the environment, where `ps` does not show them:
--
--   OWNER_PASSWORD=… DAYBOOK_PASSWORD=… EXCHANGE_PASSWORD=… psql -X -v ON_ERROR_STOP=1 -f provision.sql postgres
--
-- Migrations give the rights of the running service to the group daybook_app; the login role is a member of it. Nobody else may
-- enter the databases unless a migration grants it.
\getenv owner OWNER_PASSWORD
\getenv daybook DAYBOOK_PASSWORD
\getenv exchange EXCHANGE_PASSWORD

select 'create role ' || name || ' login'
  from unnest(array['daybook_owner', 'daybook', 'exchange']) name
 where not exists (select from pg_roles where rolname = name) \gexec
alter role daybook_owner with login nosuperuser nocreatedb nocreaterole password :'owner';
alter role daybook with login nosuperuser nocreatedb nocreaterole password :'daybook';
alter role exchange with login nosuperuser nocreatedb nocreaterole password :'exchange';

select 'create role daybook_app nologin' where not exists (select from pg_roles where rolname = 'daybook_app') \gexec
grant daybook_app to daybook;

select 'create database ' || name || ' owner ' || owner
  from (values ('daybook', 'daybook_owner'), ('exchange', 'exchange')) wanted (name, owner)
 where not exists (select from pg_database where datname = name) \gexec
revoke connect, temporary on database daybook from public;
revoke connect, temporary on database exchange from public;
grant connect, temporary on database daybook to daybook;
