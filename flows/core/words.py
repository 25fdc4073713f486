"""The words people answer with, beside the buttons."""

from __future__ import annotations

import re

WORDS: dict[str, tuple[str, ...]] = {
    "mend_check_again": ("again", "check again", "recheck", "retry", "check", "try again"),
    "mend_fixed": ("done", "fixed", "ready", "i fixed it", "it is fixed", "mended", "i have done it"),
    "mend_skip": ("skip", "skip this", "next"),
    "mend_back": ("back", "go back", "previous"),
    "mend_update_credentials": ("update credentials", "update password", "new password", "new key", "credentials"),
    "mend_reauthorize": ("reauthorize", "re-authorize", "reauthorise", "re-authorise", "reconnect"),
    "mend_rotate": ("rotate", "rotate key", "rotate credentials"),
    "mend_escalate": ("escalate", "support", "ticket", "open a ticket", "help me"),
    "mend_cancel": ("cancel", "stop", "quit", "abort"),
    "mend_take_over": ("take over", "takeover", "mine"),
    "mend_resume": ("resume", "continue", "reopen"),
    "mend_it_was_me": ("it was me", "that was me", "i opened it"),
    "mend_not_me": ("not me", "it was not me", "that was not me"),
    "mend_helpful": ("helpful", "thanks", "thank you"),
    "mend_not_helpful": ("not helpful",),
    "mend_start_job": ("start", "start it", "start a job", "run", "run it now", "sync", "sync now"),
    "mend_show_secret": ("show", "show it", "show the new one"),
    "mend_revoke": ("revoke", "revoke it", "revoke the old one"),
    "mend_forget": ("forget", "forget it", "forget what you keep"),
    "yes": ("yes", "y", "yes please", "ok", "okay", "send it", "open it"),
    "no": ("no", "n", "no thanks", "not now"),
    "why": ("why", "why?"),
    "status": ("status", "where are we"),
    "help": ("help", "?", "commands"),
}
_ANSWER = {word: answer for answer, words in WORDS.items() for word in words}


def understand(text: str, state: str) -> str | None:
    """The answer that `text` means in `state`, or None. "yes" confirms a ticket or a rotation, and nothing else."""
    word = re.sub(r"\s+", " ", re.sub(r"<@[A-Z0-9]+>", " ", text)).strip(" .!,*_`\t\n").lower()
    answer = _ANSWER.get(word)
    if answer == "yes":
        there = {"escalating": "mend_confirm_ticket", "regenerating_credentials": "mend_confirm_rotation"}
        # "ok" alone is said to anybody in a thread.
        return there.get(state) or ("yes" if word.startswith("y") else None)
    return answer
