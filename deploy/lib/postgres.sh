# shellcheck shell=bash
# A private PostgreSQL cluster in one folder: never the system's, on 127.0.0.1 only, with a password.
#
#   folder/data                  the cluster (PGDATA)
#   folder/port                  the port it uses; another one is picked when somebody else took it
#   folder/superuser.password    of the role postgres, mode 0600
#   folder/NAME.password         of the other roles, mode 0600
#
# PostgreSQL refuses to run as root, so as root it runs as the user `postgres`; everything else runs as the caller.
# Source common.sh first.

PG_USER=postgres

# The folder of initdb, pg_ctl and psql: DAYBOOK_PG_BIN, or the newest that Debian installed, or the one in the path.
pg_find_bin() {
  local dir
  if [[ -n ${DAYBOOK_PG_BIN:-} ]]; then
    [[ -x $DAYBOOK_PG_BIN/initdb ]] && echo "$DAYBOOK_PG_BIN"
    return
  fi
  dir=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n1)
  [[ -x $dir/initdb ]] || dir=$(dirname "$(command -v initdb || echo /none/initdb)")
  [[ -x $dir/initdb ]] && echo "$dir"
}

# Sets DAYBOOK_PG_BIN, or ends with what is wrong.
pg_require() {
  local version
  DAYBOOK_PG_BIN=$(pg_find_bin) || fail "PostgreSQL's server programs are missing (package postgresql), or DAYBOOK_PG_BIN points elsewhere."
  version=$("$DAYBOOK_PG_BIN/postgres" --version | grep -oE '[0-9]+(\.[0-9]+)?' | head -n1)
  at_least "$version" "$POSTGRES_MINIMUM" || fail "PostgreSQL is $version, Daybook needs $POSTGRES_MINIMUM or newer."
  export DAYBOOK_PG_BIN
  if am_root && ! id -u "$PG_USER" >/dev/null 2>&1; then
    useradd --system --no-create-home --shell /usr/sbin/nologin "$PG_USER"
  fi
}

# Runs a command as the user that owns the cluster. From `/`: the caller's folder may be closed to that user.
pg_as() (
  cd /
  if am_root; then
    exec setpriv --reuid "$PG_USER" --regid "$PG_USER" --init-groups -- env HOME=/ "$@"
  fi
  exec "$@"
)

# Makes the folder of a cluster, owned by the user that runs it. Only this folder changes hands.
pg_folder() {
  local dir=$1
  [[ -e $dir ]] && return
  if am_root; then
    chmod a+x "$(dirname "$dir")" # ours, and what is secret in it has mode 0600
    if ! pg_as test -x "$(dirname "$dir")"; then
      pg_folder_elsewhere "$dir"
      return
    fi
    install -d -m 700 -o "$PG_USER" -g "$PG_USER" "$dir"
  else
    mkdir -m 700 "$dir"
  fi
}

# The data folder lies under one that only root may enter (/root, say). Opening that is not ours to do, so the cluster gets a
# place that its user can reach and the data folder a link to it.
pg_folder_elsewhere() {
  local dir=$1 place
  install -d -m 755 /var/lib/daybook-clusters
  place=$(mktemp -d /var/lib/daybook-clusters/XXXXXXXX)
  chown "$PG_USER:$PG_USER" "$place"
  ln -s "$place" "$dir"
  say "note: the user $PG_USER cannot reach $(dirname "$dir"), so the database's files are in $place (linked from $dir)."
}

# Settings are written at every start, so that an upgrade of Daybook brings its new ones.
pg_settings() {
  local durability=$1 connections=${PG_CONNECTIONS:-200}
  [[ $durability == durable ]] || connections=400 # many tests side by side, each with its pools
  cat <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = $connections
shared_buffers = '256MB'
max_wal_size = '4GB'
checkpoint_timeout = '15min'
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = on
log_directory = 'log'
log_filename = 'postgres-%a.log'
log_rotation_age = '1d'
log_truncate_on_rotation = on
log_line_prefix = '%m [%p] %q%u@%d %a '
log_lock_waits = on
CONF
  case $durability in
    durable) printf '%s\n' 'fsync = on' 'synchronous_commit = on' 'full_page_writes = on' ;;
    throw-away) printf '%s\n' 'fsync = off' 'synchronous_commit = off' 'full_page_writes = off' ;;
    *) fail "pg_settings: $durability is neither durable nor throw-away" ;;
  esac
}

# Creates the cluster if it is not there. A first start that was killed half-way leaves data.new, which is thrown away.
pg_create() {
  local dir
  pg_folder "$1"
  dir=$(realpath "$1")
  [[ -e $dir/data/PG_VERSION ]] && return
  rm -rf "$dir/data.new"
  pg_secret "$dir" superuser >/dev/null
  pg_as "$DAYBOOK_PG_BIN/initdb" -D "$dir/data.new" -U postgres --pwfile="$dir/superuser.password" \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 >/dev/null
  echo "include_if_exists = 'daybook.conf'" >>"$dir/data.new/postgresql.conf"
  mv "$dir/data.new" "$dir/data"
}

# The password of a role, drawn at its first use.
pg_secret() {
  local dir=$1 file=$1/$2.password
  if [[ ! -s $file ]]; then
    random_secret | write_private "$file"
    ! am_root || chown "$PG_USER:$PG_USER" "$file"
  fi
  cat "$file"
}

# Process id of the running postmaster, or failure. After a kill -9 the number in postmaster.pid may by now belong to somebody
# else, so the process must also stand in this cluster's folder.
pg_pid() {
  local data pid
  data=$(realpath "$1/data")
  pid=$(head -n1 "$data/postmaster.pid" 2>/dev/null) && [[ $(readlink "/proc/$pid/cwd") == "$data" ]] && echo "$pid"
}

# After a kill -9 of the postmaster its children need a moment to notice; starting beside them would damage the cluster. Once
# nobody stands in the folder, postmaster.pid is a leftover, even where its number now belongs to somebody else.
pg_clear_leftovers() {
  local data
  data=$(realpath "$1/data")
  for _ in {1..60}; do
    if ! readlink /proc/[0-9]*/cwd 2>/dev/null | grep -qxF "$data"; then
      rm -f "$data/postmaster.pid"
      return
    fi
    sleep 0.5
  done
  fail "processes of an earlier PostgreSQL still use $data: stop them first."
}

# Starts the cluster unless it runs. usage: pg_start FOLDER durable|throw-away
pg_start() {
  local dir port
  pg_create "$1"
  dir=$(realpath "$1") # the user that runs it may be unable to follow a link to it
  pg_pid "$dir" >/dev/null && return
  pg_clear_leftovers "$dir"
  pg_settings "$2" >"$dir/data/daybook.conf"
  port=$(remembered_port "$dir/port")
  # Descriptor 9 is the caller's lock: the server must not keep it.
  if ! pg_as "$DAYBOOK_PG_BIN/pg_ctl" start -D "$dir/data" -s -w -t 600 -l "$dir/data/start.log" -o "-p $port" 9>&-; then
    tail -n 20 "$dir/data/start.log" "$dir/data/log/"*.log >&2 || true
    fail "PostgreSQL in $dir did not start; its last lines are above."
  fi
}

pg_stop() {
  local dir=$1
  pg_pid "$dir" >/dev/null || return 0
  pg_as "$DAYBOOK_PG_BIN/pg_ctl" stop -D "$(realpath "$dir/data")" -s -w -t 120 -m fast
}

# usage: pg_url FOLDER ROLE DATABASE
pg_url() {
  local secret=$2
  [[ $2 != postgres ]] || secret=superuser
  echo "postgres://$2:$(pg_secret "$1" "$secret")@127.0.0.1:$(<"$1/port")/$3"
}

# psql as the superuser. usage: pg_psql FOLDER DATABASE [psql arguments]
pg_psql() {
  local dir=$1 db=$2
  shift 2
  PGPASSWORD=$(pg_secret "$dir" superuser) PGOPTIONS='--client-min-messages=warning' \
    "$DAYBOOK_PG_BIN/psql" -X -q -At -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$(<"$dir/port")" -U postgres -d "$db" "$@"
}

# What Daybook and the bundled exchange need before their migrations run: roles with the passwords of their files, and databases.
pg_provision() {
  local dir=$1
  OWNER_PASSWORD=$(pg_secret "$dir" daybook_owner) DAYBOOK_PASSWORD=$(pg_secret "$dir" daybook) \
    EXCHANGE_PASSWORD=$(pg_secret "$dir" exchange) pg_psql "$dir" postgres -f "${BASH_SOURCE[0]%/*}/provision.sql"
}
