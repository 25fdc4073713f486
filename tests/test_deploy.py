"""What `deploy/` says of Mend is true of it. That it runs was seen with containers and systemd; this needs neither."""

from __future__ import annotations

import configparser
import inspect
import json
import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import uvicorn.config
import yaml

from bot.app import DEFAULT_PORT, ROLES
from bot.cli import line
from bot.cli.commands import app as commands
from bot.environment import Environment
from bot.foreman import DRAIN
from bot.runner import GRACE
from bot.web.app import web_app

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(DEPLOY.iterdir()) if path.is_file()}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
IMAGE = f"mend:{PROJECT['project']['version']}"
UID, CONFIG, DATA = 10001, "/etc/mend/mend.yml", "/var/lib/mend"


def _unit() -> dict[str, Any]:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(TEXTS["mend.service"])
    return dict(parser["Service"])


DOCKERFILE = dict(re.findall(r"^(LABEL|ENV|USER|VOLUME|EXPOSE|HEALTHCHECK|ENTRYPOINT|CMD) (.*)$",
                             TEXTS["Dockerfile"].replace("\\\n", " "), re.M))  # fmt: skip
COMPOSE = yaml.safe_load(TEXTS["compose.yaml"])
OURS = {name: COMPOSE["services"][name] for name in ("mend", "worker")}
FRONT, WORKER, SERVICE = yaml.safe_load_all(TEXTS["kubernetes.yaml"])
PODS = {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in (FRONT, WORKER)}
UNIT = _unit()
CHOSEN = {"${ROLES:-slack,web,worker}": "slack,web,worker"}
LINES = {
    "image": json.loads(DOCKERFILE["CMD"]),
    "systemd": shlex.split(UNIT["ExecStart"])[1:],
    **{f"compose {name}": [CHOSEN.get(word, word) for word in one["command"]] for name, one in OURS.items()},
    **{name: pod["containers"][0]["args"] for name, pod in PODS.items()},
}


@pytest.mark.parametrize("place", LINES)
def test_each_command_line_is_one_that_mend_understands(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr("bot.app.serve", lambda *given: asked.append(given) or 0)
    monkeypatch.setattr(line, "_import_fast", lambda: None)
    assert LINES[place][0] == "serve"
    assert line.serve(LINES[place][1:]) == 0
    ((_, roles, host, port),) = asked
    assert set(roles.split(",")) <= set(ROLES)
    if roles != "worker":
        assert (host, port) == ("127.0.0.1" if place == "systemd" else "0.0.0.0", DEFAULT_PORT)


def test_the_other_commands_that_are_named_exist() -> None:
    said = set(
        re.findall(
            r"(?:-- |run --rm (?:--no-deps )?|`|bin/)mend ([a-z]+(?: [a-z]+-[a-z]+)?)", "\n".join(TEXTS.values())
        )
    )
    known = {command.name or command.callback.__name__ for command in commands.registered_commands}  # type: ignore[union-attr]
    groups = {
        f"{group.name} {command.name}"
        for group in commands.registered_groups
        for command in group.typer_instance.registered_commands  # type: ignore[union-attr]
    }
    assert "doctor" in said
    assert said - {"mend"} <= known | groups | {"serve"}


def test_each_variable_is_one_that_mend_reads() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "bot").rglob("*.py"))
    read = set(re.findall(r'"(MEND_[A-Z_]+)"', sources)) | {field.name.upper() for field in fields(Environment)}
    if "FORWARDED_ALLOW_IPS" in inspect.getsource(uvicorn.config):
        read.add("FORWARDED_ALLOW_IPS")
    said = set(re.findall(r"\b(?:(?:MEND|SLACK)_[A-Z_]+|FORWARDED_[A-Z_]+)\b", "\n".join(TEXTS.values())))
    assert said <= read
    assert set(OURS["mend"]["environment"]) <= said


def test_the_same_port_user_and_paths_are_meant_everywhere() -> None:
    assert DOCKERFILE["EXPOSE"] == str(DEFAULT_PORT)
    assert f"'127.0.0.1', {DEFAULT_PORT}," in DOCKERFILE["HEALTHCHECK"]
    assert OURS["mend"]["ports"] == [f"127.0.0.1:{DEFAULT_PORT}:{DEFAULT_PORT}"]
    (container,) = PODS["mend-front"]["containers"]
    assert container["ports"] == [{"name": SERVICE["spec"]["ports"][0]["targetPort"], "containerPort": DEFAULT_PORT}]
    assert DOCKERFILE["USER"] == f"{UID}:{UID}"
    assert f"--uid {UID} " in TEXTS["Dockerfile"]
    assert f"chown {UID} secrets" in TEXTS["compose.yaml"]
    for set_up in (DOCKERFILE["ENV"], UNIT["Environment"]):
        assert f"MEND_CONFIG={CONFIG}" in set_up.split()
        assert f"MEND_DATA_DIR={DATA}" in set_up.split()
    assert DOCKERFILE["VOLUME"] == DATA
    assert UNIT["StateDirectory"] == Path(DATA).name
    for one in OURS.values():
        assert [volume.split(":")[1] for volume in one["volumes"]] == [str(Path(CONFIG).parent), DATA]
    for pod in PODS.values():
        where = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
        assert where == {"config": str(Path(CONFIG).parent), "secrets": "/run/secrets", "data": DATA}
        assert set(where) == {volume["name"] for volume in pod["volumes"]}


def test_the_version_is_that_of_the_project() -> None:
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', DOCKERFILE["LABEL"]))
    told = {"title": "name", "description": "description", "version": "version", "licenses": "license"}
    assert labels == {label: PROJECT["project"][key] for label, key in told.items()}
    images = [one["image"] for one in OURS.values()] + [pod["containers"][0]["image"] for pod in PODS.values()]
    assert set(images) == {IMAGE}
    assert f"-t {IMAGE} " in TEXTS["Dockerfile"]


def test_who_stops_mend_waits_longer_than_mend_does() -> None:
    drain = max(DRAIN, GRACE)
    assert int(UNIT["TimeoutStopSec"]) > drain
    assert UNIT["KillMode"] == "mixed"
    for one in OURS.values():
        assert int(one["stop_grace_period"].rstrip("s")) > drain
    for pod in PODS.values():
        before = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [0])[-1]
        assert pod["terminationGracePeriodSeconds"] > drain + int(before)
    assert json.loads(DOCKERFILE["ENTRYPOINT"]) == ["tini", "--", *PROJECT["project"]["scripts"]]


def test_the_probes_ask_for_pages_that_are_there() -> None:
    pages = {getattr(route, "path", "") for route in web_app(None, None).routes}  # type: ignore[arg-type]
    (front,), (worker,) = PODS["mend-front"]["containers"], PODS["mend-worker"]["containers"]
    probes = {name: one["httpGet"] for name, one in front.items() if name.endswith("Probe")}
    assert {one["path"] for one in probes.values()} <= pages
    assert probes["livenessProbe"]["path"] == "/healthz"
    assert probes["readinessProbe"]["path"] == "/readyz"
    assert not [name for name in worker if name.endswith("Probe")]
    assert OURS["worker"]["healthcheck"] == {"disable": True}
    program = json.loads(DOCKERFILE["HEALTHCHECK"].partition("CMD ")[2])[-1]
    compile(program, "HEALTHCHECK", "exec")
    assert re.findall(r"'GET', '([^']+)'", program) == ["/healthz"]


def test_nobody_gets_more_rights_than_mend_needs() -> None:
    for one in OURS.values():
        assert one["read_only"]
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert one["volumes"][0].endswith(":ro")
    for pod in PODS.values():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == UID
        assert pod["containers"][0]["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
    assert {one["kind"] for one in (FRONT, WORKER, SERVICE)} == {"Deployment", "Service"}
    assert (UNIT["ProtectSystem"], UNIT["NoNewPrivileges"], UNIT["CapabilityBoundingSet"]) == ("strict", "yes", "")
    assert UNIT["User"] == "mend"


def test_the_service_leads_to_the_front_alone() -> None:
    for one in (FRONT, WORKER):
        assert one["spec"]["selector"]["matchLabels"] == one["spec"]["template"]["metadata"]["labels"]
    assert SERVICE["spec"]["selector"] == FRONT["spec"]["selector"]["matchLabels"]
    assert SERVICE["spec"]["selector"] != WORKER["spec"]["selector"]["matchLabels"]


def test_the_image_is_made_of_the_lock_and_what_the_wheel_holds() -> None:
    let_in = {said[1:] for said in TEXTS["Dockerfile.dockerignore"].splitlines() if said.startswith("!")}
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    project = PROJECT["project"]
    assert let_in == {
        "pyproject.toml", "requirements.lock", project["readme"], *project["license-files"], *wheel["packages"], *wheel["force-include"],
    }  # fmt: skip
    assert "--require-hashes -r requirements.lock" in TEXTS["Dockerfile"]
    # The wheel is built without an index, so its builder must be pinned as well.
    assert re.search(r"^hatchling==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.M)


def test_no_secret_stands_in_a_file() -> None:
    for name, text in TEXTS.items():
        assert not re.search(r"xox[abp]-\w{4}|xapp-\w{4}|password: *[^$ ]", text), name
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert {"deploy/.env", "deploy/etc/", "deploy/secrets/"} <= set(ignored)
