"""Holds the alerts and the dashboards against the metrics that the code exports.

    check.py files                        alerts, their tests and runbooks, dashboards: against the names and labels in the source
    check.py live PROMETHEUS HOST:PORT..  the same against a Prometheus that scrapes these processes, and the source against them

Most metrics appear with their first sample, and some only on a bad day, so a running Daybook alone cannot tell which exist. The
source can: each is recorded by one of three macros, under a name written out, with its labels. The live part proves that this
reading is right: whatever a Daybook shows must be in it, with its type and its labels. Needs PyYAML. Run from the project's root.
"""

import json
import re
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

HERE = Path("deploy/observability")
# What Prometheus adds by itself, and what metrics-process does: the names that every client library has for a process.
OF_PROMETHEUS = {"up": {"job", "instance", "part"}}
OF_PROCESS = dict.fromkeys(
    ["max_fds", "open_fds", "resident_memory_bytes", "start_time_seconds", "threads", "virtual_memory_bytes", "virtual_memory_max_bytes"],
    "gauge",
) | {"cpu_seconds_total": "counter"}
ADDED_LABELS = {"job", "instance", "part", "le", "quantile"}
GRAFANA = {"$__rate_interval": "5m", "$__range": "1h", "$instance": ".*"}
MACRO = re.compile(r'\b(counter|gauge|histogram)!\(\s*("[^"]*"|[^,)]*)(.*?)(?:;|\.(?:increment|decrement|set|record)\()', re.S)
WORDS = "and or unless by without on ignoring group_left group_right bool offset inf nan"


def exported():
    """Each metric that the code records: its type and its labels, by name."""
    metrics = {f"process_{name}": (kind, set()) for name, kind in OF_PROCESS.items()}
    for file in sorted([*Path("shared").glob("*/src/**/*.rs"), *Path("services").glob("*/src/**/*.rs")]):
        text = "\n".join(line for line in source(file) if not line.lstrip().startswith("//"))
        for kind, name, rest in MACRO.findall(text):
            if not name.startswith('"'):
                fail(f"{file}: a metric must be recorded under a name written out, so that it can be found; not {kind}!({name}")
            known = metrics.setdefault(name.strip('"'), (kind, set()))
            if known[0] != kind:
                fail(f"{file}: {name} is a {kind} here and a {known[0]} elsewhere")
            known[1].update(re.findall(r'"(\w+)"\s*=>', rest))
            for variable in re.findall(r"&(\w+)", rest):
                known[1].update(re.findall(r'\("(\w+)",', "".join(re.findall(rf"let {variable} = \[(.*?)\];", text, re.S))))
    if len(metrics) < 60:
        fail(f"found only {metrics.keys()} in the source: the reader is broken")
    return metrics


def source(file):
    """The lines of a file up to its tests."""
    return re.split(r"^#\[cfg\(test\)\]\nmod ", file.read_text(), maxsplit=1, flags=re.M)[0].splitlines()


def series(metrics):
    """The names under which Prometheus stores them, with their labels."""
    stored = dict(OF_PROMETHEUS)
    for name, (kind, labels) in metrics.items():
        suffixes = ["_bucket", "_sum", "_count"] if kind == "histogram" else [""]
        stored.update({name + suffix: labels | ADDED_LABELS for suffix in suffixes})
    return stored


def check_expression(where, expression, stored):
    """Every metric of a PromQL expression is exported, and its labels are those it has. Answers the names."""
    selectors = re.findall(r"([A-Za-z_:][\w:]*)\s*\{([^}]*)\}", expression)
    for name, matchers in selectors:
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', matchers)):
            if label not in stored.get(name, {label}):
                complain(f"{where}: {name} has no label {label}")
    bare = re.sub(r'\{[^}]*\}|\[[^\]]*\]|"[^"]*"', " ", expression)
    grouped = re.findall(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)", bare)
    bare = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    names = {name for name in re.findall(r"(?<![\w.$])([A-Za-z_:][\w:]*)\b(?!\s*\()", bare) if name not in WORDS.split()}
    labels = set().union(ADDED_LABELS, *(stored.get(name, set()) for name in names))
    for name in names - stored.keys():
        complain(f"{where}: nothing exports {name}")
    for label in {label.strip() for group in grouped for label in group.split(",") if label.strip()} - labels:
        complain(f"{where}: none of {', '.join(sorted(names))} has a label {label}")
    if not names:
        complain(f"{where}: names no metric: {expression}")
    return names


def alerts():
    """Each alert with the group's file that it is in."""
    files = sorted((HERE / "alerts").glob("*.yml"))
    return [(file, rule) for file in files for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def check_alerts(stored):
    """Each alert reads exported metrics, names its page, and has a test in which it fires and one in which it does not."""
    tests, told = {}, Path("docs/monitoring.md").read_text()
    for file in sorted((HERE / "alerts/tests").glob("*.yml")):
        for case in (case for test in yaml.safe_load(file.read_text())["tests"] for case in test["alert_rule_test"]):
            tests.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    for file, rule in alerts():
        name = rule["alert"]
        check_expression(f"{file}: {name}", rule["expr"], stored)
        page = f"docs/runbooks/{name}.md"
        if rule["annotations"].get("runbook") != page or not Path(page).is_file():
            complain(f"{file}: {name}: its runbook must be {page}, and be there")
        if f"[{name}](runbooks/{name}.md)" not in told:
            complain(f"docs/monitoring.md: its table lacks {name}")
        if rule["labels"].get("severity") not in ("page", "ticket"):
            complain(f"{file}: {name}: its severity must be page or ticket")
        if tests.pop(name, set()) != {True, False}:
            complain(f"{file}: {name}: needs a test in which it fires and one in which it does not")
    for name in tests:
        complain(f"alerts/tests: no rule is called {name}")


def panels():
    """Each panel that shows something, with its dashboard."""
    for file in sorted((HERE / "dashboards").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            if panel["type"] != "row":
                yield file, panel


def expressions():
    """Each query of a dashboard, as Prometheus is asked: dashboard, panel, expression."""
    for file, panel in panels():
        for target in panel["targets"]:
            text = target["expr"]
            for variable, value in GRAFANA.items():
                text = text.replace(variable, value)
            yield file, panel["title"], text


def check_dashboards(stored):
    """Dashboards are as Grafana's provisioning wants them, and every panel reads exported metrics."""
    uids = [json.loads(file.read_text())["uid"] for file in sorted((HERE / "dashboards").glob("*.json"))]
    if len(set(uids)) != len(uids) or not uids:
        complain(f"dashboards: each needs a uid of its own: {uids}")
    for file, panel in panels():
        for wanted in ("title", "description", "gridPos", "targets"):
            if not panel.get(wanted):
                complain(f"{file}: the panel {panel.get('title')} has no {wanted}")
        if panel.get("datasource", {}).get("uid") != "${datasource}":
            complain(f"{file}: {panel['title']}: its data source must be the dashboard's choice, ${{datasource}}")
        if panel.get("gridPos", {}).get("x", 0) + panel.get("gridPos", {}).get("w", 0) > 24:
            complain(f"{file}: {panel['title']}: a dashboard is 24 wide")
    used = [name for file, title, text in expressions() for name in check_expression(f"{file}: {title}", text, stored)]
    if len(set(used)) < 30:
        complain(f"the dashboards use {len(set(used))} metrics: the reader is broken")


def check_files():
    stored = series(exported())
    check_alerts(stored)
    check_dashboards(stored)


def get(url, **arguments):
    """An answer of Prometheus, or the end."""
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(arguments)}", timeout=10) as answer:
        return json.load(answer)["data"]


def check_live(prometheus, processes):
    """A real Prometheus scrapes it and evaluates everything without an error; and the source was read right."""
    targets = get(f"{prometheus}/api/v1/targets")["activeTargets"]
    for target in targets:
        if target["health"] != "up":
            complain(f"{target['scrapeUrl']} is {target['health']}: {target['lastError']}")
    rules = [rule for group in get(f"{prometheus}/api/v1/rules")["groups"] for rule in group["rules"]]
    if len(targets) != len(processes) or len(rules) != len(alerts()):
        complain(f"Prometheus knows {len(targets)} of {len(processes)} targets and {len(rules)} of {len(alerts())} alerts")
    for rule in rules:
        if rule["health"] != "ok":
            complain(f"{rule['name']} is {rule['health']}: {rule.get('lastError')}")
    check_shown(processes)
    check_queries(prometheus)


def check_shown(processes):
    """Whatever the running processes show was read from the source, with its type and labels."""
    known, seen = exported(), set()
    stored = series(known)
    for process in processes:
        with urllib.request.urlopen(f"http://{process}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
            seen.add(name)
            if known.get(name, ("nothing",))[0] != kind:
                complain(f"{process} has the {kind} {name}, which the source does not record so")
        for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.M):
            for label in set(re.findall(r'(?:^|,)(\w+)="', labels)) - stored.get(name, set()):
                complain(f"{process} has {name} with a label {label}, which the source does not give it")
    if len(seen) < 30:
        complain(f"{len(seen)} metrics are shown: too few to prove anything")


def check_queries(prometheus):
    """Prometheus takes every query of the dashboards. Says how many of them show something in this run."""
    asked = shown = 0
    for file, title, text in expressions():
        asked += 1
        try:
            shown += bool(get(f"{prometheus}/api/v1/query", query=text)["result"])
        except urllib.error.HTTPError as refused:
            complain(f"{file}: {title}: {json.load(refused)['error']}")
    print(f"{shown} of {asked} queries of the dashboards show something in this run.")
    # Many tell of bad days only, and a slow machine has had less to tell of by now.
    if shown * 3 < asked:
        complain("fewer than a third of the dashboards' queries show something: too few to prove anything")


complaints = []


def complain(text):
    complaints.append(text)


def fail(text):
    sys.exit(f"error: {text}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["files"]:
            check_files()
        case ["live", prometheus, *processes]:
            check_live(prometheus, processes)
        case _:
            fail(__doc__)
    if complaints:
        fail("\n  ".join(["observability:", *dict.fromkeys(complaints)]))
