"""A no with 200 in what is no JSON object: an error in XML or in plain words, a page behind a comment."""

from __future__ import annotations

import pytest

from bot.checks.http import verify_credentials
from flows.core.finding import Finding
from tests.checks.test_http_secrecy import crm
from tests.fakes.recorded import KEY
from tests.fakes.serve import serving

XML, TEXT, JSON = "text/xml", "text/plain", "application/json"
SOAP = '<?xml version="1.0"?><soap:Envelope xmlns:soap="x"><soap:Header/><soap:Body>{}</soap:Body></soap:Envelope>'
PAGE = "<html><title>Sign in</title><form><input type=password></form></html>"


def answered(kind: str, text: str) -> Finding:
    def answers(path: str, headers: object) -> tuple[int, dict[str, str], str]:
        return (200, {"Content-Type": kind}, text) if KEY in str(headers) else (401, {}, "")

    with serving(answers) as url:
        return verify_credentials(crm(url))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (XML, '<?xml version="1.0"?><error><code>9</code><message>Account disabled</message></error>'),
        (XML, '<!-- v1 --><response><error code="9">Account disabled</error></response>'),
        (XML, '<rsp stat="fail"><err code="100" msg="The key is off"/></rsp>'),
        (XML, SOAP.format("<soap:Fault><faultcode>Client</faultcode><faultstring>It ended</faultstring></soap:Fault>")),
        (TEXT, "ERROR: account disabled"),
        (JSON, '"Unauthorized"'),
        (JSON, '"Error: 9"'),
    ],
)
def test_a_refusal_in_no_form_of_json_is_no_success(kind: str, text: str) -> None:
    found = answered(kind, text)
    assert (found.verdict, found.code) == ("unclear", "auth.invalid_token")


def test_a_page_behind_a_comment_is_a_page() -> None:
    assert answered(TEXT, f"<!-- build 7 -->\n<!-- -->{PAGE}").code == "auth.login_page_instead_of_api"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (XML, "<orders><order><id>1</id><error>The card was declined</error></order></orders>"),
        (XML, "<jobs><job><error>The card was declined</error></job></jobs>"),
        (XML, '<account><errors type="array"/><id>1</id></account>'),
        (XML, "<response><error>0</error><user>7</user></response>"),
        (XML, "<response><error></error><user>7</user></response>"),
        (XML, "<response><error-count>3</error-count></response>"),
        (XML, "<response><errorCount>3</errorCount></response>"),
        (XML, SOAP.format("<m:GetUserResponse><m:id>7</m:id></m:GetUserResponse>")),
        (XML, "<!-- an empty feed --><feed/>"),
        (TEXT, "errors of today, one a line"),
        ("text/csv", "error: text,id\nnone,1\n"),
        (JSON, "true"),
        (JSON, '"acme"'),
        (JSON, "[]"),
    ],
)
def test_data_that_holds_the_word_is_data(kind: str, text: str) -> None:
    assert answered(kind, text).verdict == "good"
