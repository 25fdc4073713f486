"""PostgreSQL's and PgBouncer's errors: SQLSTATE and words -> cause and code."""

from __future__ import annotations

import re

from bot.drivers.network import Trouble

HBA = ("access.pg_hba_no_entry", "access.pg_hba_reject", "tls.server_requires_tls")
DROPPED, CONFIG, WRONG, TLS = "connection_dropped", "config_error", "invalid_credentials", "tls_mismatch"
SERVER, RIGHT, LOST = "server_misconfigured", "missing_privilege", "log_position_lost"
# The nouns of sentences that share a state and a function, as the server's catalogues have them: German, French,
# Japanese, Russian, Spanish, Chinese. https://www.postgresql.org/docs/current/nls.html
ABSENT = (
    r"Rolle .* existiert nicht|le rôle .* n'existe pas|ロール.*存在しません|роль .* не существует"
    r"|no existe el rol|角色.*不存在"
)
SCHEMA = r"für Schema|le schéma|スキーマ|к схеме|al esquema|对模式"
COLUMN = r"für Spalte|la colonne|列 .*へのアクセス|к столбцу|a la columna|访问列"
# SQLSTATE and a pattern for what shares it: the function of the server that complained, which no language changes,
# or its English words. https://www.postgresql.org/docs/current/errcodes-appendix.html
CODES: tuple[tuple[str, str, str, str], ...] = (
    ("28P01", r"empty password", WRONG, "config.password_empty"),
    ("28P01", r"", WRONG, "auth.wrong_password"),
    ("28000", r"not permitted to log in", "account_locked", "auth.account_locked"),
    ("28000", rf"role .* does not exist|{ABSENT}", WRONG, "auth.unknown_user"),
    ("28000", r"valid client certificate", TLS, "tls.client_certificate_required"),
    ("28000", r"certificate authentication failed", TLS, "tls.client_certificate_untrusted"),
    # These pass the password on to somebody else, whose name stays as it is in every language.
    ("28000", r"\b(PAM|LDAP|RADIUS|BSD)\b.*(authentication failed|\bauth_failed\b)", WRONG, "auth.directory_refused"),
    ("28000", r"(Peer|Ident|GSSAPI|SSPI|OAuth\S*) authentication failed", WRONG, "auth.method_not_allowed"),
    ("28000", r"pg_hba\.conf.*replication connection|replication connection.*pg_hba\.conf", "ip_not_allowlisted",
     "access.pg_hba_no_replication_entry"),
    # The file's name is kept in every language: it opens the sentence of a rule that rejects.
    # Japanese puts it first for the missing entry too, with another word after it.
    ("28000", r"\A\w+: +(28000: +)?pg_hba\.conf (?!-|に)", "ip_not_allowlisted", "access.pg_hba_reject"),
    # Of what that function says under this state, only the sentence about certificates leaves the file unnamed.
    ("28000", r"\A(?!.*pg_hba\.conf).*\bClientAuthentication\b", TLS, "tls.client_certificate_required"),
    ("28000", r"InitializeSessionUserId", "account_locked", "auth.account_locked"),
    ("28000", r"\bauth_failed\b", WRONG, "auth.method_not_allowed"),
    ("28000", r"", "ip_not_allowlisted", "access.pg_hba_no_entry"),
    ("3D000", r"no such database", CONFIG, "config.pooler_database_not_defined"),
    ("3D000", r"", CONFIG, "config.unknown_database"),
    ("42501", r"replication|walsender|WAL sender|InitPostgres", RIGHT, "privilege.replication_missing"),
    ("42501", rf"for schema|{SCHEMA}", RIGHT, "privilege.schema_usage_missing"),
    ("42501", rf"for column|{COLUMN}", RIGHT, "privilege.column_denied"),
    ("42501", r"for (table|relation|view|materialized view)", RIGHT, "privilege.table_select_missing"),
    ("42501", r"\Waclcheck_error\b(?!.*for (database|function|sequence))", RIGHT, "privilege.table_select_missing"),
    ("42501", r"", RIGHT, "privilege.connect_missing"),
    ("42P01", r"", CONFIG, "config.table_missing"),
    ("42704", r"slot", SERVER, "replication.slot_missing"),
    ("42704", r"publication", SERVER, "replication.publication_missing"),
    ("53300", r"InitializeSessionUserId|for role \"", DROPPED, "capacity.role_connection_limit"),
    ("53300", r"CheckMyDatabase|for database", DROPPED, "capacity.database_connection_limit"),
    ("53300", r"max_wal_senders|standby connections", SERVER, "replication.no_free_wal_sender"),
    ("53300", r"", DROPPED, "capacity.too_many_connections"),
    ("53100", r"", DROPPED, "capacity.persistence_failed"),
    ("53200", r"", DROPPED, "capacity.out_of_memory"),
    ("53400", r"replication slots", SERVER, "replication.no_free_slots"),
    ("53400", r"", DROPPED, "capacity.temp_file_limit"),
    ("55000", r"CheckMyDatabase|not currently accepting", CONFIG, "config.database_closed"),
    ("55000", r"wal_level", SERVER, "replication.wal_level"),
    ("55000", r"invalidated|can no longer", LOST, "replication.slot_invalidated"),
    ("55006", r"", SERVER, "replication.slot_in_use"),
    ("58P01", r"WAL segment", LOST, "replication.slot_invalidated"),
    ("55P03", r"", DROPPED, "contention.lock_timeout"),
    ("40P01", r"", DROPPED, "contention.deadlock"),
    ("40001", r"", DROPPED, "contention.recovery_conflict"),
    ("25P03", r"", DROPPED, "capacity.idle_in_transaction_timeout"),
    ("57P05", r"", DROPPED, "capacity.idle_timeout"),
    ("25006", r"", CONFIG, "config.read_only_standby"),
    ("57014", r"", DROPPED, "capacity.statement_timeout"),
    ("25P04", r"", DROPPED, "capacity.statement_timeout"),
    ("57P01", r"", DROPPED, "availability.terminated_by_administrator"),
    ("57P02", r"", DROPPED, "availability.shutting_down"),
    ("57P03", r"[Hh]ot standby mode is disabled|not accepting connections", SERVER, "availability.hot_standby_off"),
    ("57P03", r"", DROPPED, "availability.shutting_down"),
    ("57P04", r"", CONFIG, "config.unknown_database"),
    # A prepared statement that another session left, or that is gone: the mark of a pooler in transaction mode.
    ("26000", r"", CONFIG, "config.pooler_transaction_mode"),
    ("42P05", r"", CONFIG, "config.pooler_transaction_mode"),
    # PgBouncer gives most of its own errors as a violation of the protocol. https://www.pgbouncer.org/faq.html
    ("08P01", r"no such database", CONFIG, "config.pooler_database_not_defined"),
    ("08P01", r"no such user|authentication failed|auth failed", WRONG, "auth.pooler_user_missing"),
    ("08P01", r'database ".*" does not exist', CONFIG, "config.unknown_database"),
    ("08P01", r"database .* is disabled|is paused", CONFIG, "config.database_closed"),
    ("08P01", r"no more connections|client_login_timeout|sorry, too many", DROPPED,
     "capacity.too_many_connections"),
    ("08P01", r"statement pooling|unsupported startup param|prepared statement", CONFIG,
     "config.pooler_transaction_mode"),
    ("08P01", r"SSL required", TLS, "tls.server_requires_tls"),
    ("08P01", r"login rejected|not allowed", "ip_not_allowlisted", "access.pg_hba_reject"),
    ("08P01", r"query_wait_timeout|server login (has been )?failing|connect failed|cannot connect|server conn", DROPPED,
     "availability.bad_gateway"),
    # libpq's own errors carry no SQLSTATE.
    ("", r"no password supplied", WRONG, "config.password_empty"),
    ("", r"password authentication failed", WRONG, "auth.wrong_password"),
    ("", r"does not support SSL", TLS, "tls.server_without_tls"),
    ("", r"does not match host name|is not valid for", TLS, "tls.hostname_mismatch"),
    ("", r"certificate has expired", TLS, "tls.certificate_expired"),
    ("", r"not yet valid", TLS, "tls.certificate_not_yet_valid"),
    ("", r"self.signed certificate$", TLS, "tls.self_signed"),
    ("", r"certificate verify failed|root certificate file", TLS, "tls.unknown_ca"),
    ("", r"alert unknown ca|alert bad certificate|alert certificate (expired|unknown|revoked)|alert decrypt error", TLS,
     "tls.client_certificate_untrusted"),
    ("", r"certificate file|private key file", CONFIG, "config.path_missing"),
    ("", r"unsupported protocol|protocol version|no protocols available", TLS, "tls.protocol_version"),
    ("", r"handshake failure|no shared cipher|insufficient security", TLS, "tls.no_common_algorithm"),
    ("", r"certificate required", TLS, "tls.client_certificate_required"),
    ("", r"refused", "host_unreachable", "network.refused"),
    ("", r"closed the connection unexpectedly|reset by peer|EOF detected", "host_unreachable", "network.reset"),
    ("", r"expected authentication request|invalid response to SSL", CONFIG, "config.wrong_port_other_service"),
    ("", r"authentication method|GSSAPI|SSPI|authentication not supported|SASL", WRONG, "auth.method_not_allowed"),
)  # fmt: skip
# A server keeps secret whether the user exists, and whether its password is wrong, missing, expired or kept otherwise.
ALIKE = {
    "auth.wrong_password": (
        "auth.unknown_user", "auth.password_expired", "auth.no_password_set", "auth.password_hash_method_mismatch",
    ),
    "auth.directory_refused": ("auth.wrong_password", "auth.unknown_user", "availability.bad_gateway"),
    # A pooler says the same of its own list and of the server behind it.
    "auth.pooler_user_missing": ("auth.wrong_password", "auth.unknown_user", "auth.password_expired"),
    "availability.bad_gateway": ("capacity.too_many_connections",),
}  # fmt: skip
CLASSES = {"08": ("host_unreachable", "network.reset"), "53": (DROPPED, "capacity.too_many_connections"),
           "57": (DROPPED, "availability.shutting_down"), "28": (WRONG, "auth.method_not_allowed")}  # fmt: skip


def words(state: str, text: str) -> Trouble:
    """Cause and code of the server's words, by the one table."""
    # libpq sets "connection to server at ... failed:" before it, and LOCATION (function, file and line) after it.
    said = re.search(r"failed: (.*?)(?:\nLOCATION|\Z)", text, re.S)
    line = " ".join((said.group(1) if said else text).split())
    if found := re.search(r"^(\w+): +([0-9A-Z]{5}): +(.*)$", line):
        state, line = found.group(2), f"{found.group(1)}: {found.group(3)}"
    evidence = f"{line} ({state})" if state else line
    place = text.rpartition("\nLOCATION")[2] if "\nLOCATION" in text else ""
    for known, pattern, cause, code in CODES:
        if known == state and re.search(pattern, f"{line}\n{place}", re.S):
            return Trouble(cause, code, evidence, ALIKE.get(code, ()))
    cause, code = CLASSES.get(state[:2], ("unclassified", "availability.provider_error"))
    return Trouble(cause, code, evidence)
