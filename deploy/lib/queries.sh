# shellcheck shell=bash
# The query cache: what sqlx's macros learned about each query from a migrated database, kept in .sqlx so that a build needs none.
# Source common.sh and postgres.sh first; run from the project's root.

# Makes a database with every table the queries name, Daybook's and the exchange's, and prints its address. Applied by psql, not by
# `daybook migrate`: that needs a build, and the build needs the queries.
queries_database() {
  local dir=$1 file
  pg_provision "$dir" >/dev/null
  pg_psql "$dir" postgres -c 'drop database if exists queries' -c 'create database queries' >/dev/null
  for file in migrations/*.sql services/exchange-sim/migrations/*.sql; do
    [[ -e $file ]] || continue
    pg_psql "$dir" queries --single-transaction -f "$file" >/dev/null || fail "$file does not apply to an empty database"
  done
  pg_url "$dir" postgres queries
}

# Runs a cargo command that checks every target, against a database, and leaves what the macros learned in a folder.
# usage: queries_into FOLDER DATABASE_URL CARGO_ARGUMENT...
queries_into() {
  local folder=$1 url=$2
  shift 2
  # The macros run, and write, only when the compiler does: cargo must take the files that use them for changed.
  { grep -rlE --include='*.rs' 'query(_as|_scalar)?(_unchecked)?!' services shared load-tests || true; } | xargs -r touch
  SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$folder DATABASE_URL=$url cargo "$@"
}
