"""`mend.yml` and the environment: what is configured, checked with the line that is wrong."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, StrictInt, ValidationError

from bot.settings_parts import REFERENCE as REFERENCE
from bot.settings_parts import Access, Hook, Hooks, Secret, Strict, is_group
from bot.settings_parts import SettingsError as SettingsError
from flows.core.sheet_places import LOADER, in_words, no_yaml, place_of, telling


class Tunnel(Strict):
    """An SSH server on the way to the source."""

    host: str
    port: int = Field(default=22, gt=0, lt=65536)
    user: str
    private_key: Secret = Field(default="", repr=False)
    certificate: Secret = Field(default="", repr=False)
    passphrase: Secret = Field(default="", repr=False)
    password: Secret = Field(default="", repr=False)
    host_key: str = ""


def _address(value: str) -> str:
    """A code or a token goes there: only over TLS, or to this machine."""
    if not value.startswith("https://") and not (value.startswith("http://") and is_local(value)):
        raise ValueError("must begin with https://")
    return value


class App(Strict):
    """Mend's own registration with a provider. Addresses are the sheet's, `scopes` are asked for beside its own."""

    client_id: Secret
    client_secret: Secret = Field(default="", repr=False)
    authorize_url: Annotated[str, AfterValidator(_address)] | None = None
    token_url: Annotated[str, AfterValidator(_address)] | None = None
    scopes: list[str] = Field(default_factory=list)


class Rotating(Strict):
    """Whether Mend may replace the credential itself; it renews itself, or an administrator's login does it."""

    allowed: bool = False
    admin_user: str = ""
    admin_password: Secret = Field(default="", repr=False)


class Connection(Strict):
    """One configured link to a source. `secrets` holds references, seldom values.

    `platform_source` is what the platform calls it, where it goes there by another name; False: it is not there at all.
    """

    connector: str
    settings: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, Secret] = Field(default_factory=dict, repr=False)
    tables: list[str] = Field(default_factory=list)
    replication: Literal["log", "key", "full"] = "key"
    tunnel: Tunnel | None = None
    proxy: str | None = Field(default=None, repr=False)
    oauth: App | None = None
    owner: str | None = None
    rotation: Rotating = Field(default_factory=Rotating)
    platform_source: str | StrictInt | Literal[False] | None = None

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


class Reminders(Strict):
    """Minutes of silence before one nudge, hours until the case pauses, seconds between looks at a status page."""

    nudge_minutes: float = Field(default=30, gt=0)
    expire_hours: float = Field(default=24, gt=0)
    poll_seconds: float = Field(default=60, gt=0)


class Watching(Strict):
    """Days before something runs out at which somebody is reminded, and the channel for what has no owner to ask."""

    days: list[Annotated[int, Field(gt=0, le=366)]] = Field(default=[30, 7, 1], min_length=1)
    channel: str = ""


class Keeping(Strict):
    """Days until the vault forgets a replaced secret, and one that is in use (unset: when told to)."""

    old_days: float = Field(default=7, gt=0)
    days: float | None = Field(default=None, gt=0)


class Settings(Strict):
    """`oauth` holds one registration per connector; a connection's own wins."""

    connections: dict[str, Connection] = Field(default_factory=dict)
    platform: Platform | None = None
    desk: Desk | None = None
    access: Access = Field(default_factory=Access)
    reminders: Reminders = Field(default_factory=Reminders)
    vault: Keeping = Field(default_factory=Keeping)
    hooks: Hooks = Field(default_factory=Hooks)
    oauth: dict[str, App] = Field(default_factory=dict)
    watch: Watching = Field(default_factory=Watching)
    check_timeout: float = Field(default=5.0, gt=0, le=60)
    _source: Path | None = PrivateAttr(default=None)

    @property
    def source(self) -> Path | None:
        """The file these settings were read from."""
        return self._source

    @property
    def groups(self) -> list[str]:
        """The user groups that own a connection."""
        return sorted({c.owner for c in self.connections.values() if c.owner and is_group(c.owner)})

    @property
    def folder(self) -> Path:
        return self._source.parent if self._source else Path.cwd()


def data_dir() -> Path:
    """Where the embedded database and the generated keys live."""
    if given := os.environ.get("MEND_DATA_DIR"):
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_data_dir("mend"))


def config_file(path: Path | None, env: Mapping[str, str]) -> Path:
    """`path`, else MEND_CONFIG, else ./mend.yml."""
    return (path or Path(env.get("MEND_CONFIG") or "mend.yml")).expanduser().absolute()


def load(path: Path | None, env: Mapping[str, str]) -> Settings:
    """Read the file; when none is named and none is there, there are no connections. Raises SettingsError."""
    file = config_file(path, env)
    if not file.exists():
        if path or env.get("MEND_CONFIG"):
            raise SettingsError(f"{file} does not exist: give the path of mend.yml with --config or MEND_CONFIG")
        return Settings()
    try:
        text = file.read_text(encoding="utf-8")
        raw = yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        line, _, said = no_yaml(error)
        raise SettingsError(f"{file.name}:{line}: not valid YAML: {said}") from None
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror}): check its path and rights") from None
    except (UnicodeDecodeError, yaml.YAMLError):  # a control character is no YAML
        raise SettingsError(f"{file.name} cannot be read: save it as text in UTF-8") from None
    if raw is not None and not isinstance(raw, dict):
        raise SettingsError(f"{file.name}:1: expected keys such as connections:, as in README")
    return _validated(raw or {}, text, file)


def _validated(raw: dict[str, Any], text: str, file: Path) -> Settings:
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        first = telling(error)
        where = [str(part) for part in first["loc"] if part != "[key]"]
        line = place_of(text, where).split(":")[0]
        raise SettingsError(f"{file.name}:{line}: {'.'.join(where)}: {_why(first, where)}") from None
    settings._source = file
    return settings


def _why(error: Mapping[str, Any], where: list[str]) -> str:
    if error["type"] != "extra_forbidden":
        return in_words(error)
    known = _known_keys(where[:-1])
    near = difflib.get_close_matches(where[-1], known, 1)
    return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; known are {', '.join(known)}"


_PARTS: dict[str, type[Strict]] = {
    "platform": Platform, "access": Access, "reminders": Reminders, "tunnel": Tunnel, "connections": Connection,
    "vault": Keeping, "oauth": App, "rotation": Rotating, "watch": Watching, "hooks": Hooks, "alert": Hook,
}  # fmt: skip


def _known_keys(parents: list[str]) -> list[str]:
    model = next((_PARTS[part] for part in reversed(parents) if part in _PARTS), Settings)
    return list(model.model_fields)


def _where(value: str) -> str:
    found = REFERENCE.fullmatch(value.strip())
    if not found:
        return "a literal in mend.yml"
    return {"env": "the environment variable ", "file": "the file ", "vault": "the vault entry "}[found[1]] + found[2]


def resolve(value: str, env: Mapping[str, str], folder: Path, team: str = "") -> str:
    """The secret behind a reference, read now; of Mend's own vault what that workspace has there, and not another's.
    Raises SettingsError without showing any value.
    """
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
        return _from_vault(name, team)
    try:
        return (folder / Path(name).expanduser()).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(f"the secret file {name} cannot be read ({why}): check its path and rights") from None


# Who serves `${vault:NAME}` (under "") and `${vault:STORE/...}`; filled where the program starts.
VAULTS: dict[str, Callable[..., str]] = {}


def _from_vault(name: str, team: str) -> str:
    store, _, rest = name.partition("/")
    if store in VAULTS and rest:
        return VAULTS[store](rest)
    if "" not in VAULTS:
        raise SettingsError(
            f"${{vault:{name}}} needs Mend's database and key: set MEND_DATABASE_URL and MEND_SECRET_KEY, "
            f"or put it there first with `mend vault put {name}`"
        )
    return VAULTS[""](name, team)


def resolve_secrets(connection: Connection, env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """All secrets of a connection, read now: a rotated file or variable counts at the next check."""
    return {field: resolve(value, env, folder) for field, value in connection.secrets.items()}


def resolve_tunnel(tunnel: Tunnel | None, env: Mapping[str, str], folder: Path) -> dict[str, Any] | None:
    """The tunnel as plain values with its secrets read now."""
    if tunnel is None:
        return None
    plain = tunnel.model_dump()
    return {**plain, **{k: resolve(plain[k], env, folder) for k in SECRET_OF_TUNNEL}}


SECRET_OF_TUNNEL = ("private_key", "certificate", "passphrase", "password")


def public_url(env: Mapping[str, str]) -> str:
    """Where browsers reach Mend's pages, or ''. They carry secrets, so it is https or this machine."""
    url = (env.get("MEND_PUBLIC_URL") or env.get("MEND_LOCAL_URL") or "").rstrip("/")
    parts = urlsplit(url)
    return url if parts.scheme == "https" or (parts.scheme == "http" and is_local(url)) else ""


def is_local(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
