# shellcheck shell=bash
# The scale-out form, when an order-manager is killed: its customers trade on, and it is started again.
#
#   failover_check FOLDER   whatever sdk_start has started in FOLDER with deploy/kafka
#
# Source common.sh, installation.sh, sdk.sh and smoke.sh first.

FAILOVER_REQUESTS=20

failover_check() {
  local data=$1/data victim id killed filled
  failover_wait "the requests of one key do not all reach the same order-manager" failover_one_serves "$data"
  victim=$failover_server
  id=$(<"$data/pids/$victim.pid")
  kill -KILL "$id"
  killed=$SECONDS
  smoke_order --retry 60 --retry-delay 1 --retry-max-time 60
  filled=$((SECONDS - killed))
  failover_wait "$victim is not started again" failover_is_back "$data" "$victim" "$id"
  grep -q "^$victim ended by itself (signal KILL)" "$1/run.log" || sdk_failed "$1" "deploy/kafka does not say that $victim was killed"
  say "$victim was killed: the next order of its customer was filled within $((filled + 1)) s, and it answered again within $((SECONDS - killed + 1)) s."
}

# Whether one order-manager answered every request of a key, and the other none; its name is in failover_server. HAProxy that has just
# missed one of them, on a busy machine, is asked again.
failover_one_serves() {
  local data=$1 first second request
  first=$(failover_answered "$data" order-manager-1) && second=$(failover_answered "$data" order-manager-2) || return 1
  for ((request = 0; request < FAILOVER_REQUESTS; request++)); do smoke_ask /v2/account -f -o /dev/null || return 1; done
  first=$(($(failover_answered "$data" order-manager-1) - first))
  second=$(($(failover_answered "$data" order-manager-2) - second))
  case "$first $second" in
    "$FAILOVER_REQUESTS 0") failover_server=order-manager-1 ;;
    "0 $FAILOVER_REQUESTS") failover_server=order-manager-2 ;;
    *) return 1 ;;
  esac
}

# How often it has shown an account.
failover_answered() {
  curl -fsS -m 10 "http://127.0.0.1:$(<"$1/ports/$2.port")/metrics" |
    awk '/^daybook_http_requests_total\{.*route="\/v2\/account"/ { n += $NF } END { print n + 0 }'
}

failover_is_back() {
  local data=$1 name=$2 former=$3
  [[ -s $data/pids/$name.pid && $(<"$data/pids/$name.pid") != "$former" ]] && url_answers "http://127.0.0.1:$(<"$data/ports/$name.port")/readyz"
}

# usage: failover_wait COMPLAINT COMMAND ARGUMENT...; the longest is a minute
failover_wait() {
  local complaint=$1 deadline=$((SECONDS + 60))
  shift
  until "$@"; do
    [[ $SECONDS -lt $deadline ]] || sdk_failed "${sdk_folder:?is set by sdk_start}" "$complaint, a minute long"
    sleep 0.5
  done
}
