"""The public connection tests of the same source, each installed into an environment of its own on request."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Known = dict[str, Any]


@dataclass(frozen=True)
class Peer:
    """`times` is how much faster Mend wants to be; `command` makes the argv from the environment's bin and a folder."""

    name: str
    packages: tuple[str, ...]
    times: float
    command: Callable[[Path, Path, Known], list[str]]

    def install(self, folder: Path) -> Path:
        home = folder / self.name
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(home / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *self.packages], check=True, stdout=sys.stderr)
        return home

    def asks(self, home: Path, situation: str, known: Known) -> list[str]:
        """The command for one connection; its files lie in a folder of their own."""
        folder = home / situation
        folder.mkdir()
        return self.command(home / "bin", folder, known)


def _login(known: Known) -> dict[str, Any]:
    s = known["settings"]
    return {"host": s["host"], "port": s["port"], "user": s["user"], "password": known["secrets"]["password"],
            "database": s["database"]}  # fmt: skip


def _url(scheme: str, known: Known) -> str:
    return "{}://{user}:{password}@{host}:{port}/{database}".format(scheme, **_login(known))


# A test of the tap reads every stream that it finds; the server's own views are not everybody's to read.
OURS = {"filter_schemas": ["public"]}


def _tap(bin_: Path, home: Path, known: Known) -> list[str]:
    (home / "config.json").write_text(json.dumps({**_login(known), **OURS}))
    return [str(bin_ / "tap-postgres"), "--config", str(home / "config.json"), "--test=schema"]


def _meltano(bin_: Path, home: Path, known: Known) -> list[str]:
    """A project with one extractor, whose executable is the tap beside it."""
    settings: list[Known] = [{"name": name, "value": value} for name, value in _login(known).items()]
    settings += [{"name": name, "kind": "array", "value": value} for name, value in OURS.items()]
    extractor = {"name": "tap-postgres", "namespace": "tap_postgres", "executable": str(bin_ / "tap-postgres"),
                 "capabilities": ["catalog", "discover"], "settings": settings}  # fmt: skip
    project = home / "project"
    project.mkdir()
    said = {"version": 1, "default_environment": "dev", "environments": [{"name": "dev"}],
            "plugins": {"extractors": [extractor]}}  # fmt: skip
    (project / "meltano.yml").write_text(json.dumps(said))
    return [str(bin_ / "meltano"), "--cwd", str(project), "config", "test", "tap-postgres"]


def _dlt(bin_: Path, home: Path, known: Known) -> list[str]:
    """dlt has no connection test: reflecting the tables stands for it."""
    names = [table.split(".")[-1] for table in known["tables"]]
    script = (
        "from dlt.sources.sql_database import sql_database\n"
        f"made = sql_database({_url('postgresql+psycopg2', known)!r}, table_names={names!r}, "
        "reflection_level='minimal')\n"
        "print(sorted(made.resources))\n"
    )
    (home / "reflect.py").write_text(script)
    return [str(bin_ / "python"), str(home / "reflect.py")]


def _sling(bin_: Path, home: Path, known: Known) -> list[str]:
    """The package holds the program itself; the one named `sling` would fetch it from elsewhere at its first start."""
    program = next(bin_.parent.rglob("sling-linux-amd64"))
    program.chmod(0o755)
    own = [f"SOURCE={_url('postgresql', known)}?sslmode=disable", f"SLING_HOME_DIR={home}"]
    return ["env", *own, str(program), "conns", "test", "SOURCE"]


def _airbyte(bin_: Path, home: Path, known: Known) -> list[str]:
    """Airbyte's check of a declarative HTTP source, with the manifest in its configuration."""
    login = {"type": "BearerAuthenticator", "api_token": "{{ config['token'] }}"}
    requester = {"type": "HttpRequester", "url_base": known["settings"]["base_url"], "path": "/items",
                 "http_method": "GET", "authenticator": login}  # fmt: skip
    selector = {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["items"]}}
    schema = {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": {}}}
    stream = {
        "type": "DeclarativeStream",
        "name": "items",
        "primary_key": [],
        "schema_loader": schema,
        "retriever": {"type": "SimpleRetriever", "requester": requester, "record_selector": selector},
    }
    manifest = {"version": "6.0.0", "type": "DeclarativeSource", "streams": [stream],
                "check": {"type": "CheckStream", "stream_names": ["items"]},
                "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}}}  # fmt: skip
    config = {"token": known["secrets"]["token"], "__injected_declarative_manifest": manifest}
    (home / "config.json").write_text(json.dumps(config))
    return [str(bin_ / "source-declarative-manifest"), "check", "--config", str(home / "config.json")]


def _dlt_rest(bin_: Path, home: Path, known: Known) -> list[str]:
    """The first page stands for a test."""
    client = {"base_url": known["settings"]["base_url"], "auth": {"type": "bearer", "token": known["secrets"]["token"]}}
    source = {
        "client": client,
        "resources": [{"name": "items", "endpoint": {"path": "items", "data_selector": "items"}}],
    }
    script = (
        "from dlt.sources.rest_api import rest_api_source\n"
        f"print(next(iter(rest_api_source({source!r}).items), None))\n"
    )
    (home / "first.py").write_text(script)
    return [str(bin_ / "python"), str(home / "first.py")]


OF_DATABASES = (
    Peer("tap-postgres", ("meltanolabs-tap-postgres",), 2.0, _tap),
    Peer("meltano", ("meltano", "meltanolabs-tap-postgres"), 6.0, _meltano),
    Peer("dlt", ("dlt", "sqlalchemy", "psycopg2-binary"), 2.0, _dlt),
    Peer("sling", ("sling-linux-amd64",), 0.0, _sling),
)
OF_HTTP = (
    Peer("airbyte-cdk", ("airbyte-cdk",), 5.0, _airbyte),
    Peer("dlt-rest", ("dlt",), 0.0, _dlt_rest),
)
