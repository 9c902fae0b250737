# shellcheck shell=bash
# The files of deploy/docker, compose, k8s and systemd, checked without a cluster, a registry or a daemon.
#
#   manifests_check FOLDER TOOLS DAYBOOK    works in FOLDER; the tools go into TOOLS, for the next time too
#
# Source common.sh and sdk.sh first; run from the project's root.

manifests_check() {
  local folder=$1 tools=$2 daybook=$3
  python_packages "$tools/python" -r deploy/lib/requirements.txt
  "$tools/python/bin/hadolint" deploy/docker/Dockerfile
  "$tools/python/bin/python" -B deploy/lib/manifests.py "$daybook"
  manifests_compose "$tools"
  manifests_systemd "$folder" "$daybook"
  ! have haproxy || haproxy -c -q -f deploy/compose/haproxy.cfg
}

# By the library that `docker compose` itself is made with, built once and kept.
manifests_compose() (
  local tools=$1 line
  sdk_golang "$tools"
  (cd deploy/compose/check && GOFLAGS=-mod=readonly go build -o "$tools/compose-check" .)
  while read -r line; do export "${line?}"; done < <(deploy/compose/passwords)
  "$tools/compose-check" deploy/compose/compose.yml deploy/compose/kafka.yml
)

# The executable of this machine stands for the installed one. Exposure 2.0 is where systemd stops to call a service well protected.
manifests_systemd() {
  local folder=$1/systemd daybook=$2 unit
  have systemd-analyze || install_packages systemd
  mkdir -p "$folder"
  for unit in deploy/systemd/*; do sed "s|/usr/local/bin/daybook|$daybook|" "$unit" >"$folder/${unit##*/}"; done
  # A word that it does not know is a warning to it, and here a fault; what it says of the machine's own units is not ours.
  systemd-analyze verify --man=no "$folder/daybook@all.service" "$folder/daybook-migrate.service" "$folder/daybook.target" 2>&1 |
    { ! grep -F "$folder" >&2; }
  for unit in daybook@.service daybook-migrate.service; do
    systemd-analyze security --offline=true --threshold=20 --no-pager "$folder/$unit" >"$folder/exposure" || {
      grep '✗' "$folder/exposure" >&2
      return 1
    }
  done
}
