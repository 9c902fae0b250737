# shellcheck shell=bash
# An installation that is stopped, killed and started again goes on where it was.
#
#   restart_check FOLDER DAYBOOK    deploy/run in FOLDER, three times
#
# Customers paste what the welcome and the README show them.
#
# Source common.sh, sdk.sh and smoke.sh first.

restart_check() {
  local folder=$1 daybook=$2 order key
  sdk_start "$folder" "$daybook"
  order=$(restart_paste "$folder/run.log")
  key=$APCA_API_KEY_ID
  restart_filled "$order"
  sdk_stop

  sdk_start "$folder" "$daybook"
  [[ $APCA_API_KEY_ID == "$key" ]] || sdk_failed "$folder" "the second start has another key, $APCA_API_KEY_ID for $key"
  restart_filled "$order"
  restart_readme "$folder"
  restart_kill "$folder"

  DAYBOOK_SYMBOLS=1000 DAYBOOK_LOG_FORMAT=json sdk_start "$folder" "$daybook"
  restart_filled "$order"
  restart_all_listed
  smoke_order
  restart_logs "$folder/data/daybook.log"
  ! grep -q 'may forget what it has committed' "$folder/data/daybook.log" || sdk_failed "$folder" "deploy/run has PostgreSQL forget commits"
  smoke_audit "$folder" "$daybook"
  sdk_stop
}

# Runs the line that the welcome wants to be pasted into another terminal; prints the id of its order.
restart_paste() {
  local line answer
  line=$(grep -m 1 '^ *curl -s [^ ]*/v2/orders ' "$1") || fail "the welcome in $1 names no order to paste"
  answer=$(env -u APCA_API_KEY_ID -u APCA_API_SECRET_KEY bash -c "$line")
  restart_field id "$answer" || fail "the welcome's line was not taken: $answer"
}

# What the README has its reader do first, with curl; nothing of it may be refused. Pasted at once, its last line may find the first order
# filled before it could be canceled, and says so in a body of its own.
restart_readme() {
  local lines answers
  lines=$(awk '/^## A first order/ { here = 1 } here && /^```sh/ { inside = 1; next } inside && /^```/ { exit } inside' README.md)
  [[ $lines == *'~/.local/share/daybook/'*/v2/orders* ]] || fail "the README's first order is not where it was"
  answers=$(env -u APCA_API_KEY_ID -u APCA_API_SECRET_KEY bash -euo pipefail -c "${lines//'~/.local/share/daybook'/$1/data}")
  [[ $answers == *'"type":"market"'*'"type":"limit"'* && ${answers//'"body":{"code":'/} != *'{"code":'* ]] || fail "the README's first order: $answers"
}

# usage: restart_filled ORDER
restart_filled() {
  local answer
  for _ in {1..300}; do
    answer=$(smoke_ask "/v2/orders/$1")
    [[ $(restart_field status "$answer") != filled ]] || return 0
    sleep 0.2
  done
  fail "order $1 was not filled within a minute, or is not found any more: $answer"
}

restart_field() { grep -o -m 1 "\"$1\":\"[^\"]*\"" <<<"$2" | head -n 1 | cut -d '"' -f 4 | grep .; }

# The third start has asked for all symbols there are.
restart_all_listed() {
  local count=0
  for _ in {1..150}; do
    count=$(smoke_ask /v2/assets | grep -o '"symbol":' | wc -l)
    [[ $count -ne 1000 ]] || return 0
    sleep 0.2
  done
  fail "DAYBOOK_SYMBOLS=1000 lists $count assets"
}

# Each line is an object with what a log's reader sorts by.
restart_logs() {
  python3 - "$1" <<'PYTHON' || fail "$1 is not one JSON object a line"
import json
import sys

lines = [json.loads(line) for line in open(sys.argv[1])]
assert len(lines) > 10 and all({"timestamp", "level", "target", "message"} <= line.keys() for line in lines)
PYTHON
}

# Kills the script, which then stops nothing that it started: the next start has to come to terms with that.
restart_kill() {
  # shellcheck disable=SC2154 # sdk_start says it
  kill -KILL "$sdk_pid"
  wait "$sdk_pid" || true
  sdk_pid=''
  [[ -e $1/data/run.pid ]] || fail "deploy/run was killed, and yet it has tidied up"
}
