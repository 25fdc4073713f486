"""mongodb+srv://: the members and the options that the name server lists for one name.

https://github.com/mongodb/specifications/blob/master/source/initial-dns-seedlist-discovery/initial-dns-seedlist-discovery.md
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from bot.drivers.network import Deadline, Trouble

SCHEME = "mongodb+srv://"
FAR, BAD = "host_unreachable", "dns.bad_srv_records"
# The only options that a name server may set.
ALLOWED = ("authSource", "replicaSet", "loadBalanced")


@dataclass(frozen=True)
class Seeds:
    members: list[tuple[str, int]]
    options: dict[str, str] = field(default_factory=dict)


def plain(host: str) -> str:
    """The name inside mongodb+srv://user@name/database?options."""
    return host.removeprefix(SCHEME).partition("/")[0].partition("?")[0].rpartition("@")[2].strip().rstrip(".")


def seeds(host: str, timeout: float) -> Seeds:
    """What the name stands for. Raises Trouble."""
    deadline, name = Deadline(timeout), plain(host)
    found = _asked(f"_mongodb._tcp.{name}", "SRV", deadline)
    if not found:
        words = f"_mongodb._tcp.{name} has no SRV record"
        raise Trouble("config_error", "dns.no_srv_record", words, ("dns.nxdomain",))
    members = [(str(one.target).rstrip("."), int(one.port)) for one in found]
    # A name of two parts is its own domain; of a longer one the first part is left out.
    parts = name.lower().split(".")
    home = "." + ".".join(parts[1:] if len(parts) > 2 else parts)
    foreign = [member for member, _ in members if not member.lower().endswith(home)]
    if foreign:
        words = f"the SRV record of {name} leads to {foreign[0]}, which is outside {home[1:]}: drivers refuse that"
        raise Trouble("config_error", BAD, words)
    return Seeds(sorted(members), _options(name, deadline))


def _options(name: str, deadline: Deadline) -> dict[str, str]:
    texts = [b"".join(one.strings).decode("utf-8", "replace") for one in _asked(name, "TXT", deadline)]
    if len(texts) > 1:
        words = f"{name} has {len(texts)} TXT records ({'; '.join(texts)[:200]}), and one is allowed"
        raise Trouble("config_error", BAD, words)
    options = dict(parse_qsl(texts[0], keep_blank_values=True)) if texts else {}
    odd = [key for key in options if key not in ALLOWED]
    if odd or (texts and not options):
        words = f"the TXT record of {name} says {texts[0][:200]!r}, and only {', '.join(ALLOWED)} are allowed"
        raise Trouble("config_error", BAD, words)
    return options


def _asked(name: str, kind: str, deadline: Deadline) -> list[Any]:
    """The records, none where there are none. Raises Trouble when nobody can say."""
    import dns.exception
    import dns.resolver

    try:
        return list(dns.resolver.resolve(name, kind, lifetime=deadline.left()))
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.Timeout:
        words = f"no answer about the {kind} record of {name} within {deadline.seconds:g} s"
        raise Trouble(FAR, "dns.timeout", words) from None
    except dns.resolver.NoNameservers:
        raise Trouble(FAR, "dns.servfail", f"the name servers of {name} fail ({kind})") from None
    except (dns.exception.DNSException, UnicodeError, OSError) as error:
        raise Trouble("config_error", "config.malformed_url", f"{name}: {error}") from None
