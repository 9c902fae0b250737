# shellcheck shell=bash
# HAProxy in front of several order-managers. A key always reaches the same one, as long as that lives: its requests are counted in
# one place, and its orders are decided in the order in which they arrived. Who shows no key goes by address.

# usage: haproxy_settings PORT ORDER_MANAGER_PORT...
haproxy_settings() {
  local port=$1 number=0 one
  shift
  cat <<SETTINGS
global
  maxconn 8000
defaults
  mode http
  maxconn 8000
  option forwardfor
  option redispatch
  retries 2
  timeout connect 2s
  timeout client 65s
  timeout server 65s
  timeout tunnel 1h
  timeout http-request 15s
frontend customers
  bind 127.0.0.1:$port
  http-request set-var(txn.who) req.hdr(APCA-API-KEY-ID)
  http-request set-var(txn.who) src unless { var(txn.who) -m found }
  default_backend order-managers
backend order-managers
  balance hash var(txn.who)
  hash-type consistent
  option httpchk GET /readyz
  http-check expect status 200
  default-server check inter 500ms fall 2 rise 1
SETTINGS
  for one in "$@"; do
    number=$((number + 1))
    printf '  server order-manager-%s 127.0.0.1:%s\n' "$number" "$one"
  done
}
