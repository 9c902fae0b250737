# shellcheck shell=bash
# Apache Kafka from Maven Central: one broker that is its own controller (KRaft), on 127.0.0.1 only.
#
#   folder/data                the broker's log
#   folder/port                where it listens; another one is picked when somebody else took it
#   folder/controller.port
#   folder/server.properties   written at each start
#
# Source common.sh first.

KAFKA_JAVA_MINIMUM=17

# Installs Java and Maven where they are missing, and fetches Kafka once per version. Sets kafka_libs.
kafka_require() {
  local version pom missing=()
  kafka_java_is_new || missing+=(openjdk-17-jre-headless)
  have mvn || missing+=(maven)
  [[ ${#missing[@]} -eq 0 ]] || install_packages "${missing[@]}"
  kafka_java_is_new || fail "Kafka needs Java $KAFKA_JAVA_MINIMUM or newer; 'java -version' says otherwise."
  pom=$(dirname "${BASH_SOURCE[0]}")/kafka/pom.xml
  version=$(grep -A1 'kafka_2.13' "$pom" | sed -n 's/.*<version>\(.*\)<.*/\1/p')
  kafka_libs=${XDG_CACHE_HOME:-$HOME/.cache}/daybook/kafka-$version
  [[ ! -d $kafka_libs ]] || return 0
  step "fetching Apache Kafka $version"
  rm -rf "$kafka_libs.new"
  mvn -q -B -f "$pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$kafka_libs.new" >&2
  mv "$kafka_libs.new" "$kafka_libs"
}

kafka_java_is_new() {
  local version
  have java || return 1
  version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n1)
  [[ -n $version ]] && at_least "$version" "$KAFKA_JAVA_MINIMUM"
}

# One copy of everything: this broker is alone. Topics are made by the relay, which knows how many partitions they have. A broker that
# was killed is let in again when its former session with its controller is over: by default that takes longer than its start.
kafka_properties() {
  local folder=$1 port=$2 controller=$3
  cat <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
log.dirs=$folder/data
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
PROPERTIES
}

# Makes a broker's folder, empty if it is not there. usage: kafka_prepare FOLDER; its address is in kafka_address
kafka_prepare() {
  local folder=$1 port controller
  mkdir -p "$folder"
  port=$(remembered_port "$folder/port")
  controller=$(remembered_port "$folder/controller.port")
  kafka_address=127.0.0.1:$port
  kafka_properties "$folder" "$port" "$controller" >"$folder/server.properties"
  [[ ! -e $folder/data/meta.properties ]] || return 0
  rm -rf "$folder/data"
  kafka_run kafka.tools.StorageTool format --standalone -c "$folder/server.properties" \
    -t "$(kafka_run kafka.tools.StorageTool random-uuid 2>/dev/null)" >"$folder/format.log" 2>&1 || {
    cat "$folder/format.log" >&2
    fail "Kafka's folder $folder could not be made."
  }
}

# A program of Kafka's. usage: kafka_run CLASS ARGUMENT...
kafka_run() { java -cp "$kafka_libs/*" "$@"; }

# The command of the broker, for who starts programs. usage: mapfile -t command < <(kafka_command FOLDER)
kafka_command() {
  printf '%s\n' java -Xms256m -Xmx512m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true \
    -cp "$kafka_libs/*" kafka.Kafka "$1/server.properties"
}

# usage: kafka_wait PID LOG
kafka_wait() {
  local pid=$1 log=$2
  for _ in {1..600}; do
    port_is_free "${kafka_address##*:}" || return 0
    kill -0 "$pid" 2>/dev/null || die_with_log "$log" "Kafka ended before it listened"
    sleep 0.2
  done
  die_with_log "$log" "Kafka did not listen at $kafka_address within two minutes"
}
