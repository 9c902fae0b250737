"""Holds what is deployed against what there is: deploy/compose, deploy/docker, deploy/k8s and deploy/systemd.

    manifests.py DAYBOOK      the executable, which is asked for its commands

Kubernetes' own schemas come with kubernetes-validate. What no schema knows: every command and setting exists, every Deployment is
probed, limited, hardened and may lose one pod, each secret that is named is in the documentation, and none is in the tree.
"""

import re
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import yaml

KUBERNETES = "1.34.1"
DEPLOYED = [Path("deploy") / name for name in ("compose", "docker", "k8s", "systemd")]
# Not applied with the others: before them.
APART = {"kustomization.yml", "migrate.yml"}
complaints = []


def complain(text):
    complaints.append(text)


def documents():
    """Each Kubernetes object with its file."""
    for file in sorted(Path("deploy/k8s").glob("*.yml")):
        if file.name != "kustomization.yml":
            yield from ((file, document) for document in yaml.safe_load_all(file.read_text()))


def check_schemas():
    for file, document in documents():
        try:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as wrong:
            complain(f"{file}: {wrong.path}: {wrong.message}")
    listed = yaml.safe_load(Path("deploy/k8s/kustomization.yml").read_text())["resources"]
    there = {file.name for file in Path("deploy/k8s").glob("*.yml")} - APART
    if set(listed) != there:
        complain(f"deploy/k8s/kustomization.yml lists other files than there are: {set(listed) ^ there}")


def check_pods(commands):
    """What runs in the cluster, and what keeps it there."""
    by_kind = {}
    for file, document in documents():
        by_kind.setdefault(document["kind"], {})[document["metadata"]["name"]] = (file, document)
    if "Secret" in by_kind:
        complain("deploy/k8s: a secret does not belong into the tree")
    for name, (file, document) in {**by_kind["Deployment"], **by_kind["Job"]}.items():
        pod = document["spec"]["template"]["spec"]
        for container in pod["containers"]:
            check_container(f"{file}: {name}", pod, container, commands, document["kind"] == "Deployment")
        if document["kind"] == "Deployment" and name not in by_kind["PodDisruptionBudget"]:
            complain(f"{file}: {name} has no PodDisruptionBudget")
    for kind in ("PodDisruptionBudget", "HorizontalPodAutoscaler"):
        for name, (file, _) in by_kind[kind].items():
            if name not in by_kind["Deployment"]:
                complain(f"{file}: the {kind} {name} is of no Deployment")


def check_container(where, pod, container, commands, long_lived):
    inside, outside = container.get("securityContext", {}), pod.get("securityContext", {})
    hardened = (
        outside.get("runAsNonRoot") is True
        and outside.get("seccompProfile", {}).get("type") == "RuntimeDefault"
        and inside.get("allowPrivilegeEscalation") is False
        and inside.get("readOnlyRootFilesystem") is True
        and inside.get("capabilities", {}).get("drop") == ["ALL"]
    )
    if not hardened or pod.get("automountServiceAccountToken") is not False:
        complain(f"{where} is not hardened as the others are")
    resources = container.get("resources", {})
    if not all({"cpu", "memory"} <= resources.get(side, {}).keys() for side in ("requests", "limits")):
        complain(f"{where} needs requests and limits of cpu and memory")
    probes = {probe: container.get(probe, {}).get("httpGet", {}).get("path") for probe in ("livenessProbe", "readinessProbe")}
    if long_lived and probes != {"livenessProbe": "/livez", "readinessProbe": "/readyz"}:
        complain(f"{where} is probed at {probes}")
    if container["args"][0] not in commands:
        complain(f"{where}: {container['args'][0]} is no command of daybook")


def check_compose(commands):
    """Commands, and images by version."""
    for file in sorted(Path("deploy/compose").glob("*.yml")):
        parsed = yaml.safe_load(file.read_text())
        services = parsed.get("services", {}) if isinstance(parsed, dict) else {}
        for name, service in services.items():
            image = service.get("image", "daybook:version")
            if image.split(":")[0] != "daybook" and not re.search(r":v?\d", image):
                complain(f"{file}: {name}: {image} is not pinned to a version")
            elif image.startswith("daybook") and "extends" not in service and service["command"][0] not in commands:
                complain(f"{file}: {name}: {service['command'][0]} is no command of daybook")


def check_names():
    """Settings that are named exist, and secrets are in the documentation."""
    known = set(re.findall(r"`(DAYBOOK_[A-Z_]+)`", Path("docs/configuration.md").read_text()))
    told = Path("docs/deployment.md").read_text()
    # The password of a role, which makes up an address.
    known.add("DAYBOOK_PASSWORD")
    for file in (file for folder in DEPLOYED for file in sorted(folder.rglob("*")) if file.is_file()):
        text = file.read_text()
        for name in sorted(set(re.findall(r"\bDAYBOOK_[A-Z_]+\b", text)) - known):
            complain(f"{file}: {name} is no setting of docs/configuration.md")
        for secret in re.findall(r"secret(?:Key)?Ref: \{ name: ([\w-]+)", text):
            if f"generic {secret} " not in told:
                complain(f"{file}: docs/deployment.md does not say how the secret {secret} is made")


if __name__ == "__main__":
    told = subprocess.run([sys.argv[1], "--help"], capture_output=True, text=True, check=True).stdout
    commands = set(re.findall(r"^  ([a-z-]+)  ", told, re.M))
    check_schemas()
    check_pods(commands)
    check_compose(commands)
    check_names()
    if complaints:
        sys.exit("\n  ".join(["error: deployment:", *complaints]))
