"""The contract of every sheet, and what a person reads who writes one wrongly."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from bot.checks.run import MODULES
from bot.cli.setup import schema
from bot.lint import lint
from bot.repairs.form import LOGIN
from bot.views import sheet_view
from flows.core.causes import CAUSES
from flows.core.sheet import HERE, Probe, SheetError, UnknownConnector, known_keys, load_sheet, sheet, sheets
from messages import render
from messages.escape import escape
from tests.messages.views import WAREHOUSE, case, view

ALWAYS = ("name_resolves", "port_answers", "credentials_accepted", "permissions_sufficient")
HTTP = (
    "status_page_quiet",
    "name_resolves",
    "port_answers",
    "tls_agrees",
    "credentials_accepted",
    "permissions_sufficient",
)
TEN = {"postgres", "mysql", "mariadb", "http_api", "github", "hubspot", "stripe", "salesforce", "zendesk", "shopify"}
GOOD = (HERE / "stripe.yaml").read_text()
DESCRIBED = next(line.strip() for line in GOOD.splitlines() if line.strip().startswith("described:"))
COMPARED = "2026-11-30"


def test_the_ten_first_connectors_are_known() -> None:
    assert set(known_keys()) >= TEN


@pytest.mark.parametrize("key", known_keys())
def test_every_sheet_keeps_the_contract(key: str) -> None:
    one = sheet(key)
    assert one.key == key
    if one.driver == "http":
        assert tuple(name for name in one.checks if name in HTTP) == HTTP
    else:
        assert [name for name in one.checks if name in ALWAYS] == list(ALWAYS)
    assert set(one.checks) <= set(MODULES)
    assert one.regeneration
    assert one.regeneration.who
    assert one.platform_auth
    # Nobody supports what nobody has described, nor what no pipeline service reads.
    assert one.support or key in ("http_api", "redis")
    assert one.docs
    assert len((HERE / f"{key}.yaml").read_text().splitlines()) <= 80
    for field in one.fields:
        assert field.help.strip().endswith((".", ")")), field.name
        assert field.example, field.name
    for match in one.http.answers if one.http else ():
        assert match.cause in CAUSES


@pytest.mark.parametrize("key", [key for key in known_keys() if sheet(key).sent_as])
def test_what_goes_to_a_platform_is_what_a_person_put_in_on_the_page(key: str) -> None:
    known = sheet(key)
    put_in = {field.name for field in known.fields if field.secret or field.name in LOGIN}
    for platform, names in known.sent_as.items():
        assert set(names) <= put_in, platform
        assert len(set(names.values())) == len(names), platform
        # The page asks for the login name too, and what it asks for goes there whole or not at all.
        assert {name for name in LOGIN if name in put_in} <= set(names), platform
    if not known.extends:
        assert set(known.sent_as) <= set(known.platform_types)
    there = [name.title() for name in known.sent_as if name in known.platform_types]
    one_of = f"{', '.join(there[:-1])} or {there[-1]}" if len(there) > 1 else there[0]
    said = f"Where the pipeline platform of `mend.yml` is {one_of}, a new credential put in on Mend's page goes there by itself."
    assert said in docs_of(key)


def test_a_variant_tells_only_of_platforms_that_read_it() -> None:
    assert set(sheet("redshift").sent_as) == {"stitch", "airbyte", "fivetran"}
    assert "is Airbyte, a new credential" in docs_of("redshift")
    assert "goes there by itself" not in docs_of("salesforce")


@pytest.mark.parametrize("key", [key for key in known_keys() if sheet(key).http and key != "http_api"])
def test_every_provider_is_described_for_somebody_who_never_opened_its_console(key: str) -> None:
    known = sheet(key)
    assert known.http
    assert known.regeneration
    assert known.roles
    assert known.platform_types
    assert known.http.grant
    assert known.http.resources or known.http.other
    assert known.regeneration.steps
    assert all(field.where for field in known.fields if field.name == known.http.secret)
    guide = docs_of(key)
    console, _ = known.sign_in_at({})
    assert re.match(r"https://[\w.-]+\.\w+", console)
    # Who reads from the top meets the address before the first menu path, and again where a path of the steps begins.
    assert 0 < guide.index(console) < guide.index(" > ")
    making = guide[guide.index("## A new credential") :]
    first = next((line for line in making.splitlines() if " > " in line), "")
    assert not first or re.search(r"[\w-]+\.[a-z]{2,}", making[: making.index(first)] + first.split(" > ")[0])


@pytest.mark.parametrize("key", [key for key in known_keys() if sheet(key).http and key != "http_api"])
def test_it_is_told_what_the_calls_were_compared_with_and_when(key: str) -> None:
    known = sheet(key).http
    assert known
    assert known.described
    assert known.described.read >= COMPARED
    # Without an address there is a reason, and it names what the calls are from.
    assert known.described.at.startswith("https://") or "https://" in known.described.said


def docs_of(key: str) -> str:
    known = sheet(key)
    return render.guide({**known.model_dump(), "claims": [], "resources": {}, "base": ""}, sheet_view(known))


def test_the_address_of_the_console_is_the_connections_own_and_an_example_without() -> None:
    known = sheet("zendesk")
    assert known.sign_in_at({"subdomain": "shop"}) == ("https://shop.zendesk.com/admin", False)
    assert known.sign_in_at({}) == ("https://acme.zendesk.com/admin", True)
    assert "your own address, such as https://acme.zendesk.com/admin" in docs_of("zendesk")
    assert sheet("gitlab").sign_in_at({}) == ("https://gitlab.com/users/sign_in", False)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("close", ("shown only once", "goes on working beside it")),
        ("toggl", ("can be seen there again", "stops working at once")),
        ("linkedin_ads", ()),
    ],
)
def test_it_is_said_whether_the_new_one_is_seen_again_and_the_old_one_goes_on(key: str, said: tuple[str, ...]) -> None:
    every = ("shown only once", "can be seen there again", "goes on working beside it", "stops working at once")
    guide = docs_of(key)
    assert [one for one in every if one in guide] == list(said)


def test_who_it_takes_is_not_said_twice() -> None:
    assert "It takes" not in docs_of("square").split("## A new credential")[1]
    assert "It takes a user whose profile" in docs_of("outreach").split("## A new credential")[1]


def test_nobody_is_told_where_in_stitch_what_stitch_does_not_read() -> None:
    assert "In Stitch: app.stitchdata.com" in docs_of("zendesk")
    assert '"In the pipeline" below is the page of this connection there.\n' in docs_of("calendly")


def test_nobody_is_sent_to_make_what_the_provider_makes_no_more() -> None:
    guide = docs_of("zendesk")
    assert "no new ones since October 27, 2026" in guide
    assert "April 30, 2027" in guide
    assert "Add API token" not in guide


def test_what_a_resource_needs_reads_well_for_scopes_a_role_and_both() -> None:
    known = sheet("stripe")
    needs: dict[str, dict[str, Any]] = {
        "one": {"scopes": ["read"]}, "two": {"role": "Admin"}, "three": {"scopes": ["read", "list"], "role": "Admin"},
        "four": {}, "five": {"scopes": ["read"], "partial": True},
    }  # fmt: skip
    probes = {name: Probe(path="/", **more).model_dump() for name, more in needs.items()}
    said = render.guide({**known.model_dump(), "claims": [], "resources": probes, "base": ""}, sheet_view(known))
    lines = [line for line in said.splitlines() if line.startswith("- `")]
    assert lines == [
        "- `one` needs read",
        "- `two` needs the role: Admin",
        "- `three` needs read, list and the role: Admin",
        "- `four`",
        "- `five` needs read (without, it answers but shows less)",
    ]


def test_a_sheet_says_what_was_compared_and_not_only_in_which_file() -> None:
    known = {key: http.described.said for key in known_keys() if (http := sheet(key).http) and http.described}
    assert len(known) > 50
    assert not {key: said for key, said in known.items() if len(said.split()) < 4}


def test_a_sheet_that_is_nested_without_end_is_told_by_lint(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text("key: acme\nfields: " + "[" * 50_000)
    (tmp_path / "acne.yaml").write_text("key: &a [*a]\n")
    assert [(one.line, one.text) for one in lint([tmp_path])] == [
        (2, "not valid YAML: nested more than 100 deep"),
        (1, "not valid YAML: this holds itself by an alias"),
    ]


def test_menu_paths_without_the_address_of_a_console_are_found_by_lint(tmp_path: Path) -> None:
    console = 'console: "https://dashboard.stripe.com"'
    assert console in GOOD
    for new, words in (
        ("", "menu paths need console"),
        ('console: "http://dashboard.stripe.com"', "does not begin with https://"),
        ('console: "https://{shop}.stripe.com"', "{shop} is no field"),
        ('console: "https://{api_key}.stripe.com"', "{api_key} is no field"),
    ):
        (tmp_path / "stripe.yaml").write_text(GOOD.replace(console, new))
        assert any(words in one.text and one.line > 1 for one in lint([tmp_path])), new


def test_our_own_sheets_and_templates_have_no_problems() -> None:
    assert [str(one) for one in lint()] == []


def test_keys_and_aliases_lead_to_sheets_and_aliases_are_nobody_elses() -> None:
    assert sheet("pg") is sheet("postgresql") is sheet("postgres")
    names = [name for one in sheets().values() for name in (one.key, *one.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["hubspto", "Postgre", "../core/sheet", ""])
def test_an_unknown_connector_is_an_error_of_one_line(name: str) -> None:
    with pytest.raises(UnknownConnector) as caught:
        sheet(name)
    assert "\n" not in str(caught.value)


def test_the_nearest_key_is_named() -> None:
    with pytest.raises(UnknownConnector, match="did you mean hubspot"):
        sheet("hubspto")


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("title: Stripe", "tittle: Stripe", None, ""),
        ("shown_once: true", "show_once: true", r"\d+:3", "did you mean shown_once"),
        ("auth: bearer", "auth: barer", r"\d+:3", "'bearer', 'basic'"),
        (
            "{kind: statuspage, ",
            "{",
            r"\d+:1",
            "status_page.kind: this key is required: one of statuspage, slack_status",
        ),
        ("driver: http", "driver: [", None, "not valid YAML"),
        ("key: stripe", "key: strip", "1:1", "the file's name"),
        ('body: "Invalid API Key"', 'body: "Invalid (API"', None, ""),
    ],
)
def test_a_wrong_sheet_is_an_error_with_file_line_and_column(
    tmp_path: Path, old: str, new: str, place: str | None, words: str
) -> None:
    assert old in GOOD
    file = tmp_path / "stripe.yaml"
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(SheetError) as caught:
        load_sheet(file)
    assert re.match(rf"stripe\.yaml:{place or '[0-9]+:[0-9]+'}: ", str(caught.value)), caught.value
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    problem = lint([tmp_path])[0]
    assert (problem.file, problem.line > 0) == (str(file), True)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("tls_agrees", "tls_agree", "there is no check 'tls_agree'"),
        ("https://api.stripe.com", "http://api.stripe.com", "does not begin with https://"),
        ("cause: token_expired", "cause: token_old", "there is no cause 'token_old'"),
        ("secret: api_key", "secret: api_kei", "is no secret field"),
        ("/v1/account", "/v1/{acount}", "{acount} is no field"),
        ("identity: /v1/account", 'identity: /v1/account\n  post: \'{"of":"{acount}"}\'', "{acount} is no field"),
        ("identity: /v1/account", 'identity: /v1/account\n  post: \'{"of":"{api_key}"}\'', "{api_key} is no field"),
        ("identity: /v1/account", 'identity: /v1/account\n  post: \'{"of":"{resource}"}\'', "{resource} is no field"),
        ("identity: /v1/account", 'identity: /v1/account\n  post: \'{"of":"in {environment}"}\'', "only as a whole string"),
        ("identity: /v1/account", 'identity: /v1/account\n  post: \'{"of":{environment}}\'', "only as a whole string"),
        ("identity: /v1/account", 'identity: /v1/account\n  post: \'{"of":\'', "is no JSON"),
        ('path: "/v1/{resource}?limit=1"', 'path: /v1, post: \'{"of":"{acount}"}\'', "{acount} is no field"),
        ('path: "/v1/charges?limit=1"', 'path: /v1, post: \'{"of":"{acount}"}\'', "{acount} is no field"),
        ('help: Leave it as it is.', 'help: ""', "needs a help"),
        ('label: Address of the API, default', 'label: x, choices: {eu: "https://eu"}, default', "is none of the choices"),
        ('facts_date: "2026-', 'facts_date: "today-', "is no date"),
        ("path: \"/v1/charges?limit=1\"", 'path: "/v1/{what}"', "{what} is no field"),
        ("source: https", "source: http", "does not begin with https://"),
        ('body: "Invalid API Key"', 'body: "Invalid API Key|ip"', "'ip' would be found inside other words"),
        ("code: auth.token_expired", "code: whatever", "is not of the form family.what"),
        ("code: auth.token_expired", "code: auth.tokn_expired", "no words in messages/causes/codes.yaml; did you mean auth.token_expired?"),
        ("alternatives: [auth.key_deleted]", "alternatives: [auth.zzzzz]", "the code auth.zzzzz has no words"),
        ("code: config.wrong_environment", "code: config.qqqqq", "the code config.qqqqq has no words"),
        ("auth: bearer", "auth: bearer\n  user: environment", "environment is a field: its value is {environment}"),
        ("auth: bearer", "auth: basic", 'auth: basic needs user, such as "{email}"'),
        ("identity: /v1/account", "identity: v1/account", "v1/account does not begin with /"),
        ("title: Stripe", 'title: "FILL IN: its name"', "still to be filled in: its name"),
        ("title: Stripe", "title: Stripe # FILL IN: its name", "still to be filled in: its name"),
        (DESCRIBED, 'described: {read: "2026-11-30"}', "without `at`, `said` must tell why none was read"),
        (DESCRIBED, 'described: {said: of its client, read: last week}', "'last week' is no date"),
        ('{at: "https://', '{at: "http://', "does not begin with https://"),
        ('body: "did not provide an API key"', 'body: "Invalid API Key: none"', "number 3 fits whatever it fits"),
        ('body: "did not provide an API key"', 'body: "nothing|Expired API Key"', "'Expired API Key' is never reached: number 2"),
        ('body: "Invalid API Key"', 'body: "unauthorized"', "number 3 fits 'Unauthorized', which stands beside all that"),
    ],
)  # fmt: skip
def test_lint_finds_what_the_schema_cannot(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    (tmp_path / "stripe.yaml").write_text(GOOD.replace(old, new))
    found = lint([tmp_path])
    assert any(words in one.text for one in found), found
    assert all(one.line > 1 for one in found)


def test_a_setting_that_could_lead_the_credential_to_another_host_is_found(tmp_path: Path) -> None:
    text = (HERE / "gorgias.yaml").read_text()
    (tmp_path / "gorgias.yaml").write_text(re.sub(r' pattern: "[^"]*",', "", text))
    assert [one.text for one in lint([tmp_path])] == [
        "domain stands in the host of base_url: it needs a pattern, or choices"
    ]


def test_a_finer_refusal_behind_the_name_of_its_status_is_found(tmp_path: Path) -> None:
    """As it was: Google says UNAUTHENTICATED beside NOT_ADS_USER, so that was read as a token that ran out."""
    lines = (HERE / "google_ads.yaml").read_text().splitlines(keepends=True)
    finer, name = (
        next(n for n, line in enumerate(lines) if f"body: {what}," in line)
        for what in ("NOT_ADS_USER", "UNAUTHENTICATED")
    )
    assert finer < name
    lines.insert(name, lines.pop(finer))
    file = tmp_path / "google_ads.yaml"
    file.write_text("".join(lines))
    (problem,) = lint([file])
    assert "fits 'UNAUTHENTICATED', which stands beside all that is finer" in problem.text
    assert "NOT_ADS_USER" in lines[problem.line - 1]


def test_what_binds_an_answer_keeps_it_apart_from_the_one_before(tmp_path: Path) -> None:
    """A header, a setting, the identity call, another status: none of these is a shadow."""
    text = GOOD.replace('body: "Invalid API Key", ', 'body: "API Key", identity: true, ')
    text = text.replace(
        '{body: "does not allow',
        '{status: 500, body: ".", cause: third_party_down, code: availability.provider_error}\n    - {body: "does not allow',
    )
    (tmp_path / "stripe.yaml").write_text(text)
    assert lint([tmp_path]) == []


def test_a_code_without_words_is_found_where_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "stripe.yaml"
    file.write_text(GOOD.replace("auth.token_revoked", "auth.token_revokt"))
    (problem,) = lint([tmp_path])
    line = file.read_text().splitlines()[problem.line - 1]
    assert line[problem.col - 1 :].startswith("code: auth.token_revokt")


def test_lint_reads_templates_and_a_path_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "bad.j2").write_text("one\n{% if %}")
    assert [(one.line, one.file) for one in lint([tmp_path])] == [(2, str(tmp_path / "bad.j2"))]
    assert lint([tmp_path / "nowhere"])[0].text == "there is no such file or folder"


def test_a_users_own_sheet_is_found_beside_ours_and_only_the_one_asked_for_is_read(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(GOOD.replace("key: stripe", "key: acme"))
    (tmp_path / "broken.yaml").write_text("key: [")
    both = sheets([tmp_path])
    assert {"acme", "broken", "stripe"} <= set(both)
    assert both["acme"].title == "Stripe"
    with pytest.raises(SheetError):
        both["broken"]


def variant(folder: Path, text: str) -> Path:
    (folder / "acme_pg.yaml").write_text(
        f'key: acme_pg\ntitle: Acme\nextends: postgres\nfacts_date: "2026-11-24"\nsource: https://acme.example\n{text}'
    )
    return folder / "acme_pg.yaml"


def test_a_variant_says_only_what_differs(tmp_path: Path) -> None:
    known = load_sheet(
        variant(tmp_path, "fields: [{name: host, example: x.acme.example}]\nregeneration: {steps: [Console > Users]}\n")
    )
    base = sheet("postgres")
    assert (known.title, known.driver, known.checks) == ("Acme", "postgres", base.checks)
    assert (known.aliases, known.platform_types) == ((), {})
    assert [f.name for f in known.fields] == [f.name for f in base.fields]
    assert (known.fields[0].example, known.fields[0].help) == ("x.acme.example", base.fields[0].help)
    assert known.regeneration
    assert base.regeneration
    assert (known.regeneration.steps, known.regeneration.who) == (("Console > Users",), base.regeneration.who)


@pytest.mark.parametrize(
    ("more", "old", "new", "said"),
    [
        ("", "postgres", "postgrse", "3:1: extends: the sheet 'postgrse' does not exist"),
        ("", "postgres", "mariadb", "3:1: extends: the sheet 'mariadb' extends another itself"),
        ("", "postgres", "acme_pg", "3:1: extends: the sheet 'acme_pg' does not exist"),
        ("fields:\n  - {name: host, pattern: '('}\n", "", "", "7:18: fields.host.pattern: .*not a pattern"),
        ("fields: [{name: new, label: x}]\n", "", "", "6:10: fields.new.help: this key is required"),
        ("suport: certified\n", "", "", "6:1: suport: unknown key; did you mean support"),
        ("support: somebody\n", "", "", "6:1: support: "),
    ],
)
def test_a_wrong_variant_is_an_error_in_its_own_file(tmp_path: Path, more: str, old: str, new: str, said: str) -> None:
    file = variant(tmp_path, more)
    file.write_text(file.read_text().replace(f"extends: {old}", f"extends: {new}") if old else file.read_text())
    with pytest.raises(SheetError, match=said):
        load_sheet(file)


def test_editors_get_a_schema_that_fits_every_sheet_and_finds_a_slip() -> None:
    known = Draft202012Validator(schema())
    for key in known_keys():
        found = [error.message for error in known.iter_errors(yaml.safe_load((HERE / f"{key}.yaml").read_text()))]
        assert found == [], key
    slip = yaml.safe_load(GOOD)
    slip["http"]["auht"] = slip["http"].pop("auth")
    assert not known.is_valid(slip)
    assert not known.is_valid({**yaml.safe_load(GOOD), "driver": "htpp"})
    assert not known.is_valid({"key": "x", "title": "x", "facts_date": "x", "source": "x"})


def test_editors_show_at_a_key_what_is_said_of_it() -> None:
    made = schema()
    assert made["$defs"]["HttpSpec"]["properties"]["identity"]["description"].startswith("`identity` is the call")
    assert "`rotate`" in made["$defs"]["Regeneration"]["properties"]["kind"]["description"]
    assert "`support` is `certified`" in made["properties"]["support"]["description"]
    told = [key for part in made["$defs"].values() for key in part["properties"].values() if key.get("description")]
    assert len(told) > 60


@pytest.mark.parametrize("key", known_keys())
@pytest.mark.parametrize("route", ["update_credentials", "reauthorize", "rotate"])
def test_who_never_opened_the_console_is_told_the_way_through_it(key: str, route: str) -> None:
    known = sheet(key)
    place = {**WAREHOUSE, **sheet_view(known)}
    seen = render.message(f"regenerate_{route}", view(case=case(connector=key), connection=place), (), key="k")
    assert len(seen["text"]) <= 3000
    assert "{" not in seen["text"]
    assert known.regeneration
    for step in known.regeneration.steps:
        assert escape(step[1:30]) in seen["text"]
