"""Until when the password of the account that asks is good, where it may know that."""

from __future__ import annotations

import re
from typing import Any

# From 11.5 on, and everybody sees the own row:
# https://mariadb.com/docs/server/reference/system-tables/information-schema/information-schema-tables/information-schema-users-table
MARIA_NEW = """
SELECT UNIX_TIMESTAMP(password_expiration_time), 0 FROM information_schema.users
WHERE REPLACE(user, '''', '') = REPLACE(CURRENT_USER(), '''', '')
"""
# -1 stands for the server's default, 0 for never: https://mariadb.com/kb/en/user-password-expiry/
MARIA = """
SELECT JSON_VALUE(priv, '$.password_last_changed'),
       IF(COALESCE(JSON_VALUE(priv, '$.password_lifetime'), -1) < 0, @@default_password_lifetime,
          JSON_VALUE(priv, '$.password_lifetime'))
FROM mysql.global_priv WHERE CONCAT(user, '@', host) = CURRENT_USER()
"""
MYSQL = """
SELECT UNIX_TIMESTAMP(password_last_changed), COALESCE(password_lifetime, @@default_password_lifetime)
FROM mysql.user WHERE CONCAT(user, '@', host) = CURRENT_USER()
"""
MAY = re.compile(r"^GRANT (ALL PRIVILEGES|.*\bSELECT\b.*) ON (\*\.\*|`?mysql`?\.(\*|`?(user|global_priv)`?)) TO ")
DAY = 86_400


def valid_until(cursor: Any, version: str, grants: list[str]) -> float:
    """Seconds since 1970; 0 for never or not known. It asks only for what the account may read."""
    number = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    maria = "MariaDB" in version
    new = maria and number >= (11, 5)
    if not new and not any(MAY.match(line) for line in grants):
        return 0.0
    try:
        cursor.execute(MARIA_NEW if new else MARIA if maria else MYSQL)
        row = cursor.fetchone()
        since, days = float(row[0] or 0), int(row[1] or 0)
    except (cursor.connection.Error, TypeError, ValueError):
        return 0.0
    return since if new else since + days * DAY if since and days else 0.0
