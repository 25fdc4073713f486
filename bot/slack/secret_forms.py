"""Forms of secrets that their makers gave them, and what people write that only looks like one."""

from __future__ import annotations

import re

HEX, ALNUM = "[0-9a-f]", "[0-9A-Za-z]"
# Prefixes and lengths of makers without a name of their own in messages/, one alternative each, as told in
# https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml
TOKENS = (
    rf"gl(?:pat|dt|ft|rt|soat|ffct|imt|agent|oas|ptt|cbt)-[\w.-]{{20,}}|GR1348941[\w-]{{20}}|dapi{HEX}{{32}}(?:-\d)?",
    rf"do[opr]_v1_{HEX}{{64}}|sntryu_{HEX}{{64}}|sntrys_[\w+/=]{{40,}}|pul-{HEX}{{40}}|PMAK-{HEX}{{24}}-{HEX}{{34}}",
    rf"sbp_{HEX}{{40}}|rubygems_{HEX}{{48}}|shippo_(?:live|test)_{HEX}{{40}}|xkeysib-{HEX}{{64}}-{ALNUM}{{16}}",
    rf"npm_{ALNUM}{{36}}|pypi-AgE[\w-]{{50,}}|lin_api_{ALNUM}{{40}}|pat{ALNUM}{{14}}\.{HEX}{{64}}|ntn_{ALNUM}{{40,}}",
    rf"ATATT3[\w=-]{{100,}}|glsa_{ALNUM}{{32}}_{ALNUM}{{8}}|glc_[\w+/=]{{32,}}|hv[sb]\.[\w-]{{60,}}|dckr_pat_[\w-]{{20,}}",
    rf"{ALNUM}{{14}}\.atlasv1\.[\w=-]{{60,}}|HRKU-AA[\w-]{{50,}}|pscale_(?:tkn|pw|oauth)_[\w=.-]{{32,}}|dp\.pt\.{ALNUM}{{40,}}",
    rf"dt0c01\.{ALNUM}{{24}}\.{ALNUM}{{64}}|EZ[AT]K{ALNUM}{{54}}|AKCp{ALNUM}{{60,}}|EAA[AMC]{ALNUM}{{50,}}|pnu_{ALNUM}{{36}}",
    rf"EAAA[\w-]{{22,60}}|sq0(?:atp|csp)-[\w-]{{22,}}|hf_[A-Za-z]{{34}}|LTAI{ALNUM}{{20}}|4b1d{ALNUM}{{38}}|dbt[cu]_[\w-]{{30,}}",
    rf"access_token\$(?:production|sandbox)\${ALNUM}{{16}}\${HEX}{{32}}|NR(?:AK|II|IQ|JS)-[\w-]{{24,}}|figd_[\w-]{{30,}}",
    rf"whsec_{ALNUM}{{24,}}|sk-(?:ant|proj|svcacct|admin)-[\w-]{{60,}}|sk-{ALNUM}{{20}}T3BlbkFJ{ALNUM}{{20}}|cfut_{ALNUM}{{40,}}",
    rf"[12]/\d{{12,}}(?:/\d{{12,}})?:{HEX}{{32}}|SK{HEX}{{32}}",
    rf"key-{HEX}{{32}}|{HEX}{{32}}-{HEX}{{8}}-{HEX}{{8}}|\d{{8,10}}:AA[\w-]{{33}}|[MNO][\w-]{{23,25}}\.[\w-]{{6}}\.[\w-]{{27}}",
    rf"eyJ[\w-]{{10,}}\.eyJ[\w-]{{10,}}\.[\w-]{{10,}}|[\w.~-]{{3}}\dQ~[\w.~-]{{31,34}}|pk_{HEX}{{34}}|CFPAT-[\w-]{{40,}}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{58}|sb_secret_[\w-]{20,}|(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}",
)  # fmt: skip
FORMS: tuple[tuple[str, str], ...] = (
    ("private_key", r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\bPuTTY-User-Key-File-\d:"),
    # DER of RSA and PKCS#8 keys begins so in Base64.
    ("private_key", r"\bMII[EJ][A-Za-z0-9]{2}(?:AIBAA|IBADANBgkqhkiG9w0BAQEFAASC)[A-Za-z0-9+/]{20,}"),
    ("hubspot", rf"\bpat-(?:na|eu|ap)\d-{HEX}{{8}}-[0-9a-f-]{{27}}\b"),
    ("shopify", r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),
    ("stripe", r"\b(?:sk|rk)_(?:live|test|org_live|org_test)_[0-9A-Za-z]{10,}"),
    ("github", r"\bgithub_pat_\w{22,}|\bgh[pousr]_\w{30,}"),
    ("google", r"\bAIza[\w-]{35}\b|\bya29\.[\w-]{20,}|\b1//0[\w-]{30,}|\bGOCSPX-[\w-]{20,}"),
    ("slack", r"\bx(?:ox[abeoprs][.-]|app-)[\w.-]{10,}"),
    ("slack", r"\bhooks\.slack\.com/(?:services|workflows|triggers)/[A-Z0-9]\S{30,}"),
    ("aws", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("key", rf"\bSG\.[\w-]{{16,}}\.[\w-]{{30,}}|\b{HEX}{{32}}-us\d{{1,2}}\b"),
    ("token", rf"(?<![\w-])(?:{'|'.join(TOKENS)})(?![\w-])"),
    # AccountKey of a storage account, SharedAccessKey of a bus, sig of a signed address:
    # https://learn.microsoft.com/azure/storage/common/storage-sas-overview
    ("key", r"(?i)\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{40,}={0,2}|[?&]sig=[A-Za-z0-9%+/]{40,}"),
)  # fmt: skip
# Long and random, and no secret: what names a thing or a request, keys and certificates that are public.
PUBLIC = re.compile(
    r"(?is)-----BEGIN (?:CERTIFICATE|(?:[A-Z0-9]+ )*PUBLIC KEY|CERTIFICATE REQUEST)-----.*?(?:-----END|\Z)"
    r"|\b(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\S{1,30}|sk-ssh-\S{1,40})\s+AAAA\S+"
    r"|\b(?:SHA\d{3}|MD5|sha\d{1,3}(?:-\d+)?)[:=]\s?\S+"
    r"|\b(?:[a-z0-9]{0,30}[ _-]?)(?:id|ids|identifier|uuid|guid|hash|digest|checksum|etag|fingerprint|cursor|nonce"
    r"|traceparent|trace|page_?token|continuation_?token|sync_?token)(?:-2)?\b[\"']?\s{0,2}(?:is|[=:])?\s{0,2}[\"'<]?[^\s\"',]+"
    # Ids of Stripe's objects, and its keys for browsers: https://docs.stripe.com/keys
    r"|\b(?:pk_(?:live|test)|[a-z]{2,6})_[13][A-Za-z0-9]{13,30}\b|\bpk_(?:live|test)_\w+"
)
# A word with one of these is an address, a name of AWS's, or a file in its folder.
PLACE = re.compile(
    r"://|[^@\s]@|^arn:aws|^/?spreadsheets/|/spreadsheets/"
    r"|/[^/\s]{1,200}\.(?:csv|json|jsonl|parquet|avro|orc|gz|zip|txt|log|ya?ml|sql|py|js|ts|java|go|rb)\b"
)
HOST = r"[\w.:/-]*\.(?:com|org|net|io|dev|test|local|internal)(?:[/:].*)?"
# What stands where a secret would: nothing, a reference, a place.
HARMLESS = re.compile(
    rf"(?i)https?://[^\s?@]*|\d[\d.:TZ+-]*|[$%{{\[(<@].*|.*\*{{3}}.*|[*x.?_-]+|{HOST}|/.*|os\.\w+.*|(?:the|your|my|new|old)?[-_]?(?:password|passwd|pass|pw|pwd"
    r"|secret|token|key|api[-_]?key)|redacted|hidden|null|none|true|false|undefined|yes|no"
)
