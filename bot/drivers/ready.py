"""The libraries of a driver, imported before the clock runs: a limit is the source's time, not that of our imports."""

from __future__ import annotations

import contextlib
import importlib

LIBRARIES: dict[str, tuple[str, ...]] = {
    "postgres": ("psycopg", "psycopg_binary", "bot.drivers.starttls"),
    "mysql": ("pymysql", "bot.drivers.starttls"),
    "http": ("requests.adapters", "bot.drivers.http_trouble", "bot.drivers.proxy"),
    "bigquery": ("requests.adapters", "cryptography.hazmat.primitives.serialization"),
    "mongodb": ("pymongo", "pymongo.errors"),
    "mssql": ("pytds",),
    "oracle": ("oracledb",),
    "redis": ("redis.connection",),
    "s3": ("botocore.session",),
    "dynamodb": ("botocore.session",),
    "sftp": ("paramiko",),
}


def get_ready(driver: str) -> None:
    """A library that is not installed is told by the check itself."""
    for name in (*LIBRARIES.get(driver, ()), "dns.resolver", "bot.drivers.tls"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
