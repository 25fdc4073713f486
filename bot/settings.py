"""`mend.yml` and the environment: what is configured, checked with the line that is wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

REFERENCE = re.compile(r"\$\{(env|file|vault):([^}]+)\}")


class SettingsError(Exception):
    """One line that says what is wrong and how to mend it."""


def _well_formed(value: str) -> str:
    """A mistyped reference must not be taken for a password. The message shows no part of the value."""
    if value.strip().startswith("${") and not REFERENCE.fullmatch(value.strip()):
        raise ValueError("not a reference that Mend knows: write ${env:NAME}, ${file:PATH} or ${vault:NAME}")
    return value


Secret = Annotated[str, AfterValidator(_well_formed)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Tunnel(Strict):
    """An SSH server on the way to the source."""

    host: str
    port: int = Field(default=22, gt=0, lt=65536)
    user: str
    private_key: Secret = Field(default="", repr=False)
    passphrase: Secret = Field(default="", repr=False)
    password: Secret = Field(default="", repr=False)
    host_key: str = ""


class Connection(Strict):
    """One configured link to a source. `secrets` holds references, seldom values."""

    connector: str
    settings: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, Secret] = Field(default_factory=dict, repr=False)
    tables: list[str] = Field(default_factory=list)
    replication: Literal["log", "key", "full"] = "key"
    tunnel: Tunnel | None = None
    proxy: str | None = Field(default=None, repr=False)
    owner: str | None = None

    def secret_refs(self) -> dict[str, str]:
        """Where each secret comes from, in words that show none."""
        return {name: _where(value) for name, value in self.secrets.items()}


class Platform(Strict):
    kind: Literal["stitch", "airbyte", "fivetran"]
    token: Secret = Field(default="", repr=False)
    region: str = "us"
    base_url: str = ""


class Desk(BaseModel):
    """A support desk; the keys beside `kind` belong to the desk's own module."""

    model_config = ConfigDict(extra="allow")
    kind: str

    def __repr__(self) -> str:
        return f"Desk(kind={self.kind!r})"


class Access(Strict):
    admins: list[str] = Field(default_factory=list)
    channels: list[str] = Field(default_factory=list)


class Reminders(Strict):
    """Minutes of silence before one nudge, hours until the case pauses, seconds between looks at a status page."""

    nudge_minutes: float = Field(default=30, gt=0)
    expire_hours: float = Field(default=24, gt=0)
    poll_seconds: float = Field(default=60, gt=0)


class Settings(Strict):
    connections: dict[str, Connection] = Field(default_factory=dict)
    platform: Platform | None = None
    desk: Desk | None = None
    access: Access = Field(default_factory=Access)
    reminders: Reminders = Field(default_factory=Reminders)
    check_timeout: float = Field(default=5.0, gt=0, le=60)
    _source: Path | None = PrivateAttr(default=None)

    @property
    def source(self) -> Path | None:
        """The file these settings were read from."""
        return self._source

    @property
    def folder(self) -> Path:
        return self._source.parent if self._source else Path.cwd()


@dataclass(frozen=True)
class Environment:
    """The variables of contract.md."""

    slack_bot_token: str | None
    slack_app_token: str | None
    slack_signing_secret: str | None
    slack_api_url: str
    public_url: str | None
    log: str

    def __repr__(self) -> str:
        return "Environment(...)"

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Environment:
        base = (env.get("SLACK_API_URL") or "https://slack.com/api/").rstrip("/") + "/"
        return cls(
            slack_bot_token=env.get("SLACK_BOT_TOKEN") or None,
            slack_app_token=env.get("SLACK_APP_TOKEN") or None,
            slack_signing_secret=env.get("SLACK_SIGNING_SECRET") or None,
            slack_api_url=base,
            public_url=env.get("MEND_PUBLIC_URL") or None,
            log="json" if env.get("MEND_LOG") == "json" else "text",
        )


def load(path: Path | None, env: Mapping[str, str]) -> Settings:
    """Read `path`, else MEND_CONFIG, else ./mend.yml; no file at all means no connections. Raises SettingsError."""
    named = path or (Path(env["MEND_CONFIG"]) if env.get("MEND_CONFIG") else None)
    file = (named or Path("mend.yml")).expanduser().absolute()
    if not file.exists():
        if named:
            raise SettingsError(f"{file} does not exist: give the path of mend.yml with --config or MEND_CONFIG")
        return Settings()
    try:
        text = file.read_text(encoding="utf-8")
        raw = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError(f"{file.name}:{line}: not valid YAML: {error.problem}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{file.name} cannot be read: {type(error).__name__}") from None
    if raw is not None and not isinstance(raw, dict):
        raise SettingsError(f"{file.name}:1: expected keys such as connections:, found a {type(raw).__name__}")
    return _validated(raw or {}, text, file)


def _validated(raw: dict[str, Any], text: str, file: Path) -> Settings:
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        # A mistyped key is also a missing one: the first tells more.
        problems = error.errors(include_input=False, include_url=False)
        first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
        where = [str(part) for part in first["loc"] if part != "[key]"]
        line = _line_of(text, where)
        raise SettingsError(f"{file.name}:{line}: {'.'.join(where)}: {_why(first, where)}") from None
    settings._source = file
    return settings


def _why(error: Mapping[str, Any], where: list[str]) -> str:
    if error["type"] != "extra_forbidden":
        return str(error["msg"]).removeprefix("Value error, ")
    known = _known_keys(where[:-1])
    near = difflib.get_close_matches(where[-1], known, 1)
    return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; known are {', '.join(known)}"


_PARTS: dict[str, type[Strict]] = {
    "platform": Platform, "access": Access, "reminders": Reminders, "tunnel": Tunnel, "connections": Connection,
}  # fmt: skip


def _known_keys(parents: list[str]) -> list[str]:
    model = next((_PARTS[part] for part in reversed(parents) if part in _PARTS), Settings)
    return list(model.model_fields)


def _line_of(text: str, where: list[str]) -> int:
    """The line of the deepest key of `where` that the file holds, from 1."""
    node, line = yaml.compose(text, Loader=yaml.SafeLoader), 1
    for part in where:
        if not isinstance(node, yaml.MappingNode):
            break
        for key, value in node.value:
            if str(key.value) == part:
                node, line = value, key.start_mark.line + 1
                break
        else:
            break
    return line


def _where(value: str) -> str:
    found = REFERENCE.fullmatch(value.strip())
    if not found:
        return "a literal in mend.yml"
    return {"env": "the environment variable ", "file": "the file ", "vault": "the vault entry "}[found[1]] + found[2]


def resolve(value: str, env: Mapping[str, str], folder: Path) -> str:
    """The secret behind a reference, read now. Raises SettingsError without showing any value."""
    found = REFERENCE.fullmatch(value.strip())
    if not found:
        return value
    kind, name = found[1], found[2].strip()
    if kind == "env":
        if name not in env:
            raise SettingsError(
                f"the environment variable {name} is not set: set it where Mend runs and start Mend again"
            )
        return env[name]
    if kind == "vault":
        raise SettingsError(f"${{vault:{name}}} needs the vault, which this version does not have: use ${{file:...}}")
    try:
        return (folder / Path(name).expanduser()).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(f"the secret file {name} cannot be read ({why}): check its path and rights") from None


def resolve_secrets(connection: Connection, env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """All secrets of a connection, read now: a rotated file or variable counts at the next check."""
    return {field: resolve(value, env, folder) for field, value in connection.secrets.items()}


def resolve_tunnel(tunnel: Tunnel | None, env: Mapping[str, str], folder: Path) -> dict[str, Any] | None:
    """The tunnel as plain values with its secrets read now."""
    if tunnel is None:
        return None
    plain = tunnel.model_dump()
    return {**plain, **{k: resolve(plain[k], env, folder) for k in ("private_key", "passphrase", "password")}}


def literals(settings: Settings) -> Iterator[str]:
    """The secrets that stand in mend.yml itself, as connection.field."""
    for name, connection in settings.connections.items():
        yield from (
            f"{name}.{field}" for field, value in connection.secrets.items() if not REFERENCE.fullmatch(value.strip())
        )
