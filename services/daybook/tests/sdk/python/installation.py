"""An installation that a test may harm: deploy/run in a folder of its own, beside the one of the other tests, with little room."""

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import urllib.request
from pathlib import Path

from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient

from conftest import wait_for

ROOT = Path(__file__).parents[5]
# The functions of a private PostgreSQL, as deploy/run uses them.
POSTGRES = 'set -euo pipefail; source deploy/lib/common.sh; source deploy/lib/postgres.sh; pg_require; "$@"'
# Room for three streams, two of one account, one of a stranger; one order at a time, and no limit of requests.
LITTLE_ROOM = dict(
    DAYBOOK_BATCH_MAX="1",
    DAYBOOK_STREAM_CONNECTIONS="3",
    DAYBOOK_STREAM_CONNECTIONS_PER_ACCOUNT="2",
    DAYBOOK_STREAM_STRANGERS_PER_ADDRESS="1",
    DAYBOOK_REQUESTS_PER_MINUTE="0",
)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def values(path):
    """The settings of a file of `KEY=VALUE` lines."""
    lines = Path(path).read_text().splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


class Installation:
    """What an operator does to it, and accidents."""

    def __init__(self):
        self.executable = os.environ["DAYBOOK_EXECUTABLE"]
        self.folder = Path(tempfile.mkdtemp(prefix="harmed.", dir=os.environ["DAYBOOK_SDK_FOLDER"]))
        # PostgreSQL's user passes through.
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.log = self.folder / "run.log"
        self.script = None

    def start(self):
        words = dict(DAYBOOK_DATA_DIR=str(self.data), DAYBOOK_PORT=str(free_port()), DAYBOOK_EXECUTABLE=self.executable)
        self.script = self.launch(self.log, "deploy/run", **LITTLE_ROOM, **words)
        wait_for(self.is_ready, patience=180)
        self.customer = values(self.data / "demo.env")
        self.url = self.customer["APCA_API_BASE_URL"]

    def launch(self, log, *command, **settings):
        """A process that gets SIGTERM should this one be killed."""
        with log.open("ab") as output:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *command],
                cwd=ROOT,
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def is_ready(self):
        said = self.log.read_text()
        assert self.script.poll() is None, f"deploy/run ended before Daybook was ready:\n{said}"
        return "\nDaybook is ready" in said

    def stop(self):
        """As Ctrl-C would, and it ends well."""
        if self.script is not None:
            code = ended(self.script)
            assert code == 0, f"deploy/run ended with status {code}:\n{self.log.read_text()}"

    def client(self, url=None):
        """A client of its own for each call, as programs that call at the same time have."""
        client = TradingClient(self.customer["APCA_API_KEY_ID"], self.customer["APCA_API_SECRET_KEY"], url_override=url or self.url)
        client._retry_codes = [504]
        return client

    def postgres(self, *words):
        command = ["bash", "-c", POSTGRES, "bash", *map(str, words)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def sql(self, statement):
        """What the database's superuser does, in one transaction."""
        return self.postgres("pg_psql", self.data / "postgres", "daybook", "-c", statement)

    @contextlib.contextmanager
    def holding(self, statement):
        """Somebody's transaction that stays open."""
        command = ["bash", "-c", POSTGRES, "bash", "pg_psql", str(self.data / "postgres"), "daybook"]
        psql = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            psql.stdin.write(f"begin; {statement};\n\\echo held\n")
            psql.stdin.flush()
            assert psql.stdout.readline() == "held\n"
            yield
        finally:
            psql.communicate(timeout=60)

    def crash_postgres(self):
        """It ends at once, without a word to anybody."""
        postmaster = int((self.data / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, 3)

    def start_postgres(self):
        self.postgres("pg_start", self.data / "postgres", "durable")

    def exchange(self, route, **body):
        """What its operator orders by hand."""
        port = values(self.data / "daybook.env")["DAYBOOK_EXCHANGE_PORT"]
        request = urllib.request.Request(f"http://127.0.0.1:{port}/sim/{route}", json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    @contextlib.contextmanager
    def second_door(self, **settings):
        """Another order-manager over the same books, as when there is more than one: its address and its process."""
        port = free_port()
        words = dict(LITTLE_ROOM, DAYBOOK_DATA_DIR=str(self.data), DAYBOOK_PORT=str(port), DAYBOOK_ADMIN_PORT="0", **settings)
        url = f"http://127.0.0.1:{port}"
        process = self.launch(self.folder / "door.log", self.executable, "order-manager", **words)
        try:
            wait_for(lambda: self.answers(process, url))
            yield url, process
        finally:
            ended(process)

    def answers(self, process, url):
        assert process.poll() is None, (self.folder / "door.log").read_text()
        try:
            return self.client(url).get_account()
        except (APIError, OSError):
            return None


def ended(process):
    """The status of a process that is asked to end, and in the end killed."""
    process.terminate()
    try:
        return process.wait(timeout=90)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
