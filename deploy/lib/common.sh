# shellcheck shell=bash
# Helpers that every deploy script sources: saying, failing, installing, choosing ports and secrets.

# Without it, a command that fails inside $(...) would be overlooked there.
shopt -s inherit_errexit

say() { printf '%s\n' "$*" >&2; }
step() { printf '\n== %s\n' "$*" >&2; }
fail() {
  printf '\nerror: %s\n' "$*" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
am_root() { [[ $(id -u) -eq 0 ]]; }

# Rust that this workspace needs (Cargo.toml, rust-version).
RUST_MINIMUM=1.95
# The oldest PostgreSQL that the tests ran on.
# shellcheck disable=SC2034 # postgres.sh reads it
POSTGRES_MINIMUM=15

# Puts cargo where rustup leaves it into the path, then refuses an old or absent Rust by name.
require_rust() {
  have cargo || PATH="$HOME/.cargo/bin:$PATH"
  { have cargo && have rustc; } || fail "Rust is missing. Install $RUST_MINIMUM or newer (https://rustup.rs), then run this again."
  local version
  version=$(rustc --version | cut -d' ' -f2)
  at_least "$version" "$RUST_MINIMUM" || fail "rustc is $version, Daybook needs $RUST_MINIMUM or newer: run 'rustup update stable'."
}

at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1) == "$2" ]]; }

# Installs what the build and the run need and this machine lacks, and what the caller adds: packages named like their command, and
# openssl-headers for a build with Kafka. Asks dpkg for nothing: what counts is whether the tool is there.
install_missing() {
  local missing=() extra
  for extra in "$@"; do
    case "$extra" in
      openssl-headers) { have pkg-config && pkg-config --exists openssl; } || missing+=(libssl-dev) ;;
      *) have "$extra" || missing+=("$extra") ;;
    esac
  done
  { have cc && have make; } || missing+=(build-essential)
  have pkg-config || missing+=(pkg-config)
  have curl || missing+=(curl)
  [[ -e /etc/ssl/certs/ca-certificates.crt ]] || missing+=(ca-certificates)
  { have setpriv && have flock && have setsid; } || missing+=(util-linux)
  pg_find_bin >/dev/null || missing+=(postgresql)
  [[ ${#missing[@]} -eq 0 ]] || install_packages "${missing[@]}"
}

# Installs Debian packages, or says what the machine's owner has to do.
install_packages() {
  step "installing $*"
  am_root || fail "missing: $*. Not root, so please run: sudo apt-get install $*"
  have apt-get || fail "missing: $*. There is no apt-get here, so please install them by hand."
  [[ " $* " != *" postgresql "* ]] || keep_system_cluster_away
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

# Python packages in a folder of their own, made if it is not there: python_packages FOLDER PIP_ARGUMENT...
python_packages() {
  local folder=$1
  shift
  python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv
  [[ -x $folder/bin/python ]] || python3 -m venv "$folder"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

# Debian's package creates and starts a cluster of its own when it is installed; Daybook never uses it, so none is made, unless
# the machine's owner decided that already.
keep_system_cluster_away() {
  local conf=/etc/postgresql-common/createcluster.conf
  mkdir -p "${conf%/*}"
  grep -qs '^ *create_main_cluster' "$conf" || echo 'create_main_cluster = false' >>"$conf"
}

# A TCP port of 127.0.0.1 on which nobody answers.
free_port() {
  local port
  for _ in {1..100}; do
    port=$((20000 + RANDOM % 12000))
    port_is_free "$port" && echo "$port" && return
  done
  fail "found no free port between 20000 and 32000 on 127.0.0.1"
}

# Keeps a port in a file from one start to the next, and picks another when somebody else took it.
remembered_port() {
  local file=$1
  if [[ ! -s $file ]] || ! port_is_free "$(<"$file")"; then
    free_port >"$file"
  fi
  cat "$file"
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# 192 random bits as hex: safe inside a URL.
random_secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

# Writes standard input to a file that only its owner can read, in one rename so that no reader sees half of it.
write_private() {
  local file=$1
  (
    umask 077
    cat >"$file.new"
  )
  mv -f "$file.new" "$file"
}
