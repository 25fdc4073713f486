"""References to secrets that live elsewhere: against moto, and HashiCorp's documented answers over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from bot.references import serve_references
from bot.settings import SettingsError, resolve
from tests.fakes.serve import Reply, serving

TOKEN, CANARY = "hvs.test-token", "pa55-from-afar"


def hashicorp(path: str, headers: Mapping[str, str]) -> Reply:
    """https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version"""
    if headers.get("x-vault-token") != TOKEN:
        return 403, {}, {"errors": ["permission denied"]}
    if path != "/v1/secret/data/prod/warehouse":
        return 404, {}, {"errors": []}
    metadata = {"created_time": "2026-03-22T02:24:06Z", "deletion_time": "", "destroyed": False, "version": 2}
    return 200, {}, {"data": {"data": {"user": "stitch", "password": CANARY}, "metadata": metadata}}


@pytest.fixture
def hashicorp_vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    serve_references()
    with serving(hashicorp) as url:
        monkeypatch.setenv("VAULT_ADDR", url)
        monkeypatch.setenv("VAULT_TOKEN", TOKEN)
        yield


@pytest.fixture
def secrets_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    serve_references()
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    found = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    for name, value in {**found, "AWS_DEFAULT_REGION": "eu-central-1"}.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("secretsmanager")
    client.create_secret(Name="prod/warehouse", SecretString=json.dumps({"user": "stitch", "password": CANARY}))
    client.create_secret(Name="plain", SecretString=CANARY)
    yield
    server.stop()


def refused(reference: str) -> str:
    with pytest.raises(SettingsError) as caught:
        resolve(reference, {}, Path())
    assert "\n" not in str(caught.value)
    assert CANARY not in str(caught.value)
    assert TOKEN not in str(caught.value)
    return str(caught.value)


def test_a_field_of_hashicorp_vault_is_read(hashicorp_vault: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve("${vault:hashicorp/secret/prod/warehouse#password}", {}, Path()) == CANARY
    assert "name one of its 2 fields after #" in refused("${vault:hashicorp/secret/prod/warehouse}")
    assert "InvalidPath" in refused("${vault:hashicorp/secret/prod/nothing#password}")
    assert "names no secret" in refused("${vault:hashicorp/#password}")
    monkeypatch.setenv("VAULT_TOKEN", "wrong")
    assert "check VAULT_ADDR, VAULT_TOKEN and its policy" in refused("${vault:hashicorp/secret/prod/warehouse#user}")
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    assert "check VAULT_ADDR" in refused("${vault:hashicorp/secret/prod/warehouse#user}")


def test_a_secret_of_aws_is_read_whole_or_by_field(secrets_manager: None) -> None:
    assert resolve("${vault:aws/prod/warehouse#password}", {}, Path()) == CANARY
    assert resolve("${vault:aws/plain}", {}, Path()) == CANARY
    assert "has no field 'nothing'" in refused("${vault:aws/prod/warehouse#nothing}")
    assert "has no field 'x'" in refused("${vault:aws/plain#x}")
    assert "ResourceNotFoundException" in refused("${vault:aws/nothing}")

    # What is no text is not sent as a password.
    odd = {"null": None, "yes": True, "object": {"of": CANARY}, "list": [CANARY], "number": 4711}
    boto3.client("secretsmanager").create_secret(Name="odd", SecretString=json.dumps(odd))
    for name in ("null", "yes", "object", "list"):
        assert "holds no text" in refused(f"${{vault:aws/odd#{name}}}")
    assert resolve("${vault:aws/odd#number}", {}, Path()) == "4711"
