"""Secrets that live elsewhere: HashiCorp Vault and AWS Secrets Manager, by their own libraries."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

from bot.settings import SettingsError

SECONDS = 10


def _split(store: str, reference: str, example: str) -> tuple[str, str]:
    place, _, field = reference.partition("#")
    if not place:
        raise SettingsError(f"${{vault:{store}/{reference}}} names no secret: write ${{vault:{store}/{example}}}")
    return place, field


def _module(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise SettingsError(f"this reference needs the extra {extra}: pip install 'mend[{extra}]'") from None


def _picked(found: dict[str, Any], field: str, place: str) -> str:
    if not field and len(found) == 1:
        field = next(iter(found))
    if field not in found:
        raise SettingsError(f"{place} has no field {field!r}: name one of its {len(found)} fields after #")
    value = found[field]
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise SettingsError(f"the field {field!r} of {place} holds no text: name one that does after #")
    return str(value)


def hashicorp(reference: str) -> str:
    """`MOUNT/PATH#FIELD` of a key-value engine, version 2; address and token from VAULT_ADDR and VAULT_TOKEN."""
    place, field = _split("hashicorp", reference, "secret/warehouse#password")
    hvac = _module("hvac", "hashicorp")
    mount, _, path = place.partition("/")
    try:
        client = hvac.Client(timeout=SECONDS)
        answer = client.secrets.kv.v2.read_secret_version(path=path, mount_point=mount, raise_on_deleted_version=True)
        found = dict(answer["data"]["data"])
    except Exception as error:  # hvac's, requests' and the answer's own shapes; their words may hold the token
        why = f"HashiCorp Vault gave no {place} ({type(error).__name__}): check VAULT_ADDR, VAULT_TOKEN and its policy"
        raise SettingsError(why) from None
    return _picked(found, field, f"HashiCorp Vault's {place}")


def aws(reference: str) -> str:
    """`SECRET-ID#FIELD`; without a field the whole text. Region and identity as boto3 finds them."""
    place, field = _split("aws", reference, "prod/warehouse#password")
    boto3, config = _module("boto3", "aws"), _module("botocore.config", "aws")
    limits = config.Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"total_max_attempts": 2})
    try:
        text = str(boto3.client("secretsmanager", config=limits).get_secret_value(SecretId=place)["SecretString"])
    except Exception as error:  # botocore makes its classes as it goes
        why = f"AWS Secrets Manager gave no {place} ({type(error).__name__}): check region, identity and policy"
        raise SettingsError(why) from None
    if not field:
        return text
    try:
        found = json.loads(text)
    except ValueError:
        found = {}
    return _picked(found if isinstance(found, dict) else {}, field, f"AWS Secrets Manager's {place}")


STORES: dict[str, Callable[[str], str]] = {"hashicorp": hashicorp, "aws": aws}
