"""What a stranger tries on the port of a running Mend, by plain HTTP and by calls that Slack or a desk has signed."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import resource
import select
import signal
import socket
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil
import pytest
import requests

from tests.talk import ALICE, Talk, World, case_of, rows, wait

ALERTS, DESK = "hook-canary-4711", "desk-canary-4712"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
# What a person may copy out of a log or a file: no text of PostgreSQL's can hold the first two.
ODD = ("\x00", "\ud800", "\x1b[2J", "\r\n2026-01-01T00:00:00Z [info    ] forged [mend.app]\r\n", "\u202e")


@pytest.fixture(scope="module")
def world(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two processes on one database."""
    hooks = {"alert": {"secret": ALERTS, "channel": "C0DATA"}, "desk": {"secret": DESK}}
    with World(database, Path(tmp_path_factory.mktemp("outside")), http=True, hooks=hooks) as world:
        world.serve()
        yield world


def unsigned(world: World, body: bytes, kind: str = FORM, **headers: Any) -> requests.Response:
    return requests.post(
        world.addresses[0] + "/slack/events", body, headers={"content-type": kind, **headers}, timeout=30
    )


def signed(world: World, body: str, kind: str = FORM, *, at: float = 0.0, front: int = 0) -> requests.Response:
    stamp = str(int(time.time() + at))
    said = f"v0:{stamp}:{body}".encode()
    made = "v0=" + hmac.new(world.slack.signing_secret.encode(), said, hashlib.sha256).hexdigest()
    headers = {"content-type": kind, "x-slack-request-timestamp": stamp, "x-slack-signature": made}
    return requests.post(world.addresses[front] + "/slack/events", body.encode(), headers=headers, timeout=30)


def command(world: World, text: str, trigger: str, **more: Any) -> requests.Response:
    given = {"command": "/mend", "text": text, "team_id": "T0LOCAL", "channel_id": "C0DATA", "user_id": ALICE}
    where = {name: more.pop(name) for name in ("at", "front") if name in more}
    return signed(world, urlencode({**given, "trigger_id": trigger, **more}, errors="replace"), **where)


def said(world: World, text: str, thread: str, user: str = ALICE) -> requests.Response:
    ts = world.slack.space.new_ts()
    event = {"type": "message", "user": user, "text": text, "channel": "C0DATA", "channel_type": "channel",
             "ts": ts, "thread_ts": thread, "event_ts": ts, "team": "T0LOCAL"}  # fmt: skip
    body = {"type": "event_callback", "team_id": "T0LOCAL", "event_id": f"Ev{ts}", "event": event}
    return signed(world, json.dumps(body), JSON)


def pressed(world: World, talk: Talk, action: str, value: str, user: str = ALICE) -> requests.Response:
    at = str(time.time())
    place = {"type": "message", "message_ts": talk.ts, "channel_id": "C0DATA", "thread_ts": talk.ts}
    button = {"action_id": action, "type": "button", "value": value, "block_id": "b", "action_ts": at}
    payload = {"type": "block_actions", "team": {"id": "T0LOCAL"}, "user": {"id": user, "team_id": "T0LOCAL"},
               "channel": {"id": "C0DATA"}, "container": place, "message": {"ts": talk.ts, "thread_ts": talk.ts},
               "trigger_id": at, "actions": [button]}  # fmt: skip
    return signed(world, urlencode({"payload": json.dumps(payload)}))


def alert(world: World, body: Any, **headers: str) -> requests.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"authorization": f"Bearer {ALERTS}", **headers}
    return requests.post(world.addresses[0] + "/hooks/alert", raw, headers=given, timeout=30)


def desk(world: World, body: Any, stamp: str = "", front: int = 0, **headers: str) -> requests.Response:
    raw = json.dumps(body).encode()
    stamp = stamp or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = base64.b64encode(hmac.new(DESK.encode(), stamp.encode() + raw, hashlib.sha256).digest()).decode()
    given = {"x-zendesk-webhook-signature": made, "x-zendesk-webhook-signature-timestamp": stamp, **headers}
    return requests.post(world.addresses[front] + "/hooks/desk/zendesk", raw, headers=given, timeout=30)


def line(world: World) -> socket.socket:
    parts = urlsplit(world.addresses[0])
    return socket.create_connection((str(parts.hostname), int(parts.port or 0)), 20)


# What nobody has signed ----------------------------------------------------------------------------------------------

NOW = "x-slack-request-timestamp"
UNSIGNED: list[tuple[str, bytes, str, dict[str, Any]]] = [
    ("deep JSON", b"[" * 100_000, JSON, {}),
    ("half a JSON", b"{", JSON, {}),
    ("a number", b"5", JSON, {}),
    ("a list", b"[]", JSON, {}),
    ("a payload that is no JSON", b"payload=x", FORM, {}),
    ("bytes of no text", b"\xff\xfe\x00", FORM, {}),
    ("a time of letters", b"a=b", FORM, {NOW: "abc", "x-slack-signature": "v0=1"}),
    ("a time of 5,000 digits", b"a=b", FORM, {NOW: "9" * 5000, "x-slack-signature": "v0=1"}),
    ("a signature of no ASCII", b"a=b", FORM, {"x-slack-signature": b"v0=\xe9"}),
    ("a challenge", b'{"type": "url_verification", "challenge": "<script>"}', JSON, {}),
]


@pytest.mark.attack("bytes that nobody signed, to Slack's door", "401, unread; not a line in the log")
@pytest.mark.parametrize(("name", "body", "kind", "headers"), UNSIGNED, ids=[row[0] for row in UNSIGNED])
def test_what_slack_has_not_signed_is_not_even_read(
    name: str, body: bytes, kind: str, headers: dict[str, Any], world: World
) -> None:
    before = world.log.read_text()
    answer = unsigned(world, body, kind, **{NOW: str(int(time.time())), **headers})
    assert (answer.status_code, answer.text) == (401, "")
    assert world.log.read_text() == before


@pytest.mark.attack("an old, early or foreign signature of Slack's", "401")
def test_a_signature_counts_for_five_minutes_and_this_app(world: World) -> None:
    assert command(world, "status", "t.old", at=-301).status_code == 401
    assert command(world, "status", "t.early", at=301).status_code == 401
    stamp = str(int(time.time()))
    other = "v0=" + hmac.new(b"of-another-app", f"v0:{stamp}:a=b".encode(), hashlib.sha256).hexdigest()
    assert unsigned(world, b"a=b", **{NOW: stamp, "x-slack-signature": other}).status_code == 401
    assert unsigned(world, b"ssl_check=1&token=x").status_code == 200, "Slack's look at the certificate, without effect"


@pytest.mark.attack("a signed command overheard and sent again", "one case, at every front")
def test_a_command_that_is_sent_again_has_one_effect(world: World) -> None:
    count = "SELECT count(*) FROM cases WHERE connection = 'billing'"
    before = rows(world, count)[0][0]
    for front, late in ((0, 0), (1, 0), (0, -200), (1, -290)):
        assert command(world, "billing", "t.replayed", front=front, at=late).status_code == 200
    wait(lambda: any("GRANT SELECT" in m["text"] for m in world.slack.messages()))
    assert rows(world, count)[0][0] == before + 1


# What people write ---------------------------------------------------------------------------------------------------


@pytest.mark.attack("NUL, halves of signs, escapes, forged lines in Slack", "taken as text; the bot answers on")
def test_odd_signs_in_what_people_write_keep_nobody_else_from_being_heard(world: World, talk: Talk) -> None:
    case, before = case_of(talk), len(world.log.read_text())
    for n, odd in enumerate(ODD):
        assert said(world, f"why {odd}", talk.ts).status_code == 200
        assert said(world, odd * 50, talk.ts).status_code == 200
        assert pressed(world, talk, "mend_cancel", f"{case}{odd}:regenerate_credentials:1").status_code == 200
        assert command(world, f"ware{odd}hqx", f"t.odd{n}{time.time()}").status_code == 200
        assert command(world, "status", f"t.odd{n}{odd}").status_code == 200
    for value in (f"{case}:x:{'9' * 5000}", f"{case}:x:\u00b2", f"{case}:x:-1", case, "", "::::", "x" * 100_000):
        assert pressed(world, talk, "mend_cancel", value).status_code == 200
    choosing = world.start("")
    choosing.until("choosing")
    for number in ("9" * 5000, "\u00b2", "0", "-1", "1e9"):
        assert said(world, number, choosing.ts).status_code == 200
    assert said(world, "cancel", choosing.ts).status_code == 200
    choosing.until("cancelled")
    assert said(world, "why", talk.ts).status_code == 200
    talk.said("Why ")
    new = world.log.read_text()[before:]
    assert "Traceback" not in new
    assert not [one for one in new.splitlines() if one.startswith("2026-01-01")]
    assert talk.states()[-1] == "regenerating_credentials"


@pytest.mark.attack("two cases in one thread, again and again", "refused in words; the next is heard")
def test_who_is_refused_leaves_no_trap_behind(world: World, talk: Talk) -> None:
    """A refusal rolls its transaction back, and psycopg then takes away what its connection had prepared."""
    for _ in range(3):
        ts = world.slack.space.new_ts()
        event = {"type": "app_mention", "user": ALICE, "text": "<@U0MEND> billing", "channel": "C0DATA", "ts": ts,
                 "thread_ts": world.slack.space.new_ts(), "event_ts": ts, "team": "T0LOCAL"}  # fmt: skip
        for n in range(2):
            body = {"type": "event_callback", "team_id": "T0LOCAL", "event_id": f"Ev{ts}{n}", "event": event}
            event = {**event, "ts": world.slack.space.new_ts()}
            assert signed(world, json.dumps(body), JSON).status_code == 200
        assert said(world, "status", talk.ts).status_code == 200
        assert pressed(world, talk, "mend_skip", f"{case_of(talk)}:x:999").status_code == 200


@pytest.mark.attack("unknown, made-up and foreign buttons", "nothing moves")
def test_a_button_that_mend_never_made_moves_nothing(world: World, talk: Talk) -> None:
    other = world.start("github-org")
    other.until("checking_permissions")
    value = f"{case_of(talk)}:regenerate_credentials:1"
    for action in ("mend_drop", "evil", "mend_expire", "expire", "checked", "mend_it_was_me", "mend_hand_over", ""):
        assert pressed(world, other, action, value).status_code == 200
    for user in ("U0GUEST", "U0CHARLIE", "U0DANA"):
        assert pressed(world, other, "mend_skip", value, user).status_code == 200
    said(world, "status", talk.ts)
    wait(lambda: any("Led by" in text for text in talk.texts[1:]))
    state = rows(world, "SELECT state FROM cases WHERE id = :id", id=case_of(talk))
    assert state[0][0] == "regenerating_credentials"
    for one in (talk, other):
        one.say("cancel")
        one.until("cancelled")


@pytest.mark.attack("somebody whom Slack does not show", "as a guest: reads, moves nothing, sees no names")
def test_whom_slack_does_not_show_is_no_member(world: World, talk: Talk) -> None:
    """Of people of other companies whom this workspace has never met Slack tells nothing:
    https://docs.slack.dev/reference/methods/users.info#errors"""
    question = talk.question()
    assert question
    value = next(one["value"] for block in question["blocks"] for one in block.get("elements", []) if one.get("value"))
    assert pressed(world, talk, "mend_take_over", value, "U0UNSEEN").status_code == 200
    answer = command(world, "whichever", "t.unseen", user_id="U0UNSEEN")
    assert "warehouse" not in answer.text
    said(world, "status", talk.ts)
    wait(lambda: any("Led by" in text for text in talk.texts[1:]))
    assert rows(world, "SELECT owner FROM cases WHERE id = :id", id=case_of(talk))[0][0] == ALICE
    talk.say("cancel")
    talk.until("cancelled")


# What other programs send --------------------------------------------------------------------------------------------


def failed(**data: Any) -> dict[str, Any]:
    told = {"connection": {"name": "warehouse"}, "errorMessage": "FATAL: password authentication failed",
            "errorOrigin": "source", "success": False, "jobId": time.time()}  # fmt: skip
    return {"data": {**told, **data}}


@pytest.mark.attack("odd signs and numbers in an alert (hooks)", "200; the alert is told, not lost")
def test_an_alert_is_not_lost_by_a_sign_in_it(world: World) -> None:
    before = world.log.read_text().count("Traceback")
    for odd in ODD:
        assert alert(world, failed(jobId=f"{time.time()}{odd}")).status_code == 200
        assert alert(world, failed(errorMessage=f'FATAL: password authentication failed for user "{odd}"')).ok
        assert alert(world, failed(connection={"name": f"warehouse{odd}"})).status_code == 200
    message = b'{"data": {"errorMessage": "FATAL: password authentication failed", "jobId": '
    for number in (b"NaN", b"1e999", b"9" * 5000, b"-0", b"[" * 40_000 + b"]" * 40_000, b'"' + b"x" * 200_000 + b'"'):
        assert alert(world, message + number + b"}}").status_code == 200
    assert world.log.read_text().count("Traceback") == before


@pytest.mark.attack("wrong secrets without end, from the pipeline's own proxy (hooks)", "429; the alert is told")
def test_who_guesses_does_not_use_up_the_calls_of_who_knows(world: World) -> None:
    wrong = {"authorization": "Bearer guessed"}
    codes = [alert(world, b"x", **wrong).status_code for _ in range(200)]
    assert set(codes) == {401, 429}
    assert alert(world, failed()).status_code == 200


@pytest.mark.attack("texts made to be slow to read (hooks)", "each is answered")
def test_no_text_takes_long_to_read(world: World) -> None:
    for part in (b"(", b"'", b"\\n", b"a@", b'user "', b'connection "', b"0", b"ERROR ", b"= ", b"{", b" ", b"\xff"):
        assert alert(world, part * (250_000 // len(part))).status_code == 200, part


@pytest.mark.attack("a desk's call overheard and sent again (hooks)", "told once, whatever its number")
def test_a_call_of_the_desk_is_told_once_whatever_is_not_signed_of_it(world: World, talk: Talk) -> None:
    news = {"external_id": case_of(talk), "id": "42", "status": "open", "comment": "Overheard"}
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    got = []
    for front, number in ((0, "a"), (1, "b"), (0, "c")):
        invocation = {"x-zendesk-webhook-invocation-id": number}
        got.append(desk(world, news, stamp, front, **invocation).json()["status"])
    assert got == ["told in the case", "known already", "known already"]


@pytest.mark.attack("odd signs and a private comment by a trigger (hooks)", "200, told as text; private not at all")
def test_a_comment_of_a_stranger_does_not_break_the_desks_hook(world: World, talk: Talk) -> None:
    before = world.log.read_text().count("Traceback")
    for n, odd in enumerate(ODD):
        news = {"external_id": case_of(talk), "status": "open", "comment": f"Comment {n} {odd}"}
        assert desk(world, news).json() == {"status": "told in the case"}
        talk.said(f"Comment {n}")
        assert desk(world, {"external_id": f"c{odd}", "status": "solved"}).json() == {"status": "no case of ours"}
    private = {"external_id": case_of(talk), "status": "open", "comment": {"body": "gossip", "is_public": False}}
    assert desk(world, private).json() == {"status": "nothing to tell"}
    for stamp in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59", "x", "1" * 5000):
        assert desk(world, {}, stamp).status_code == 401
    assert world.log.read_text().count("Traceback") == before
    assert "gossip" not in "".join(talk.texts)


# The line ------------------------------------------------------------------------------------------------------------


def poured(world: World, begin: bytes, parts: Iterable[bytes]) -> int:
    """How many bytes are taken before the line is closed."""
    taken = 0
    with line(world) as peer:
        try:
            peer.sendall(begin)
            for part in parts:
                peer.sendall(part)
                taken += len(part)
                if select.select([peer], [], [], 0)[0] and not peer.recv(4096):
                    break
        except OSError:
            pass
    return taken


HEAD = b" HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
FLOODS: list[tuple[str, bytes, bytes]] = [
    ("one header without end", b"GET /healthz" + HEAD + b"X: ", b"a" * 1_000_000),
    ("headers without end", b"GET /healthz" + HEAD, (b"X: " + b"a" * 990 + b"\r\n") * 1000),
    ("an address without end", b"GET /", b"a" * 1_000_000),
    ("a body without end, to Slack's door", b"POST /slack/events" + CHUNKED, b"F4240\r\n" + b"a" * 1_000_000 + b"\r\n"),
    ("a body without end, to a hook", b"POST /hooks/alert" + CHUNKED, b"F4240\r\n" + b"a" * 1_000_000 + b"\r\n"),
    ("a body without end, to a page", b"POST /credentials/x" + CHUNKED, b"F4240\r\n" + b"a" * 1_000_000 + b"\r\n"),
    ("a body for nobody", b"POST /nowhere" + HEAD + b"Content-Length: 90000000\r\n\r\n", b"a" * 1_000_000),
    ("headers behind a body", b"POST /hooks/alert" + CHUNKED + b"0\r\n", (b"X: " + b"a" * 990 + b"\r\n") * 1000),
]


@pytest.mark.attack("headers, addresses and bodies without end", "the line is closed; memory stays")
@pytest.mark.parametrize(("name", "begin", "part"), FLOODS, ids=[row[0] for row in FLOODS])
def test_what_has_no_end_is_not_kept(name: str, begin: bytes, part: bytes, world: World) -> None:
    front = psutil.Process(world.processes[0].pid)
    before = front.memory_info().rss
    assert poured(world, begin, [part] * 60) < 40_000_000
    assert front.memory_info().rss - before < 25_000_000


def unread(address: str) -> socket.socket:
    """Somebody who asks a lot and reads nothing."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    peer.connect(("127.0.0.1", urlsplit(address).port))
    peer.setblocking(False)
    with contextlib.suppress(OSError):
        peer.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)
    return peer


@pytest.mark.attack("answers that nobody reads (slow read)", "closed after a minute, or to make room")
def test_who_does_not_read_the_answers_does_not_keep_a_line(world: World) -> None:
    front, lines = psutil.Process(world.processes[0].pid), [unread(world.addresses[0]) for _ in range(30)]
    assert command(world, "status", "t.unread").status_code == 200
    ours = {peer.getsockname()[1] for peer in lines}
    wait(lambda: not [c for c in front.net_connections() if c.raddr and c.raddr.port in ours], 100, every=0.5)
    for peer in lines:
        peer.close()


@pytest.fixture
def many_files() -> Iterator[None]:
    """For the attacker: an ordinary user's process may open a thousand, unless it asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
@pytest.mark.attack("half a request, and silence (slowloris), 1,500 times", "closed after 15 s; Slack is answered")
def test_who_never_ends_a_request_does_not_keep_others_out(world: World) -> None:
    """With no more files than most systems give a process."""
    resource.prlimit(world.processes[0].pid, resource.RLIMIT_NOFILE, (1024, 1024))
    begun = (
        b"",
        b"GET /healthz HTTP/1.1\r\nX: ",
        b"POST /slack/events" + HEAD + b"Content-Length: 9\r\n\r\nabc",
        b"\r\n",
    )
    lines: list[socket.socket] = []

    def closed() -> bool:
        ready = select.poll()
        for peer in lines:
            ready.register(peer, select.POLLIN)
        return len(ready.poll(0)) == len(lines)

    with contextlib.ExitStack() as open_:
        for n in range(1500):
            lines.append(open_.enter_context(line(world)))
            lines[-1].sendall(begun[n % len(begun)])
        assert command(world, "status", "t.crowded").status_code == 200
        assert requests.get(world.addresses[0] + "/healthz", timeout=5).status_code == 200
        wait(closed, 30)


@pytest.mark.attack("lines kept open while Mend is stopped", "stopped in ten seconds, exit code 0")
def test_nobody_outside_keeps_mend_from_stopping(world: World) -> None:
    process = world.serve()
    address = world.addresses.pop()
    world.slack.request_url = world.addresses[0] + "/slack/events"
    parts = urlsplit(address)
    with unread(address), socket.create_connection((str(parts.hostname), int(parts.port or 0)), 20) as half:
        half.sendall(b"POST /slack/events" + HEAD + b"Content-Length: 9\r\n\r\nabc")
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
