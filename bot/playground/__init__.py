"""A local Slack to try and test an app with, written from Slack's documented protocol."""

from bot.playground.actions import DemoAction
from bot.playground.blocks import problems
from bot.playground.runner import LocalSlackServer, run_local_slack
from bot.playground.slack import LocalSlack
from bot.playground.state import Channel, Refused, User

__all__ = ["Channel", "DemoAction", "LocalSlack", "LocalSlackServer", "Refused", "User", "problems", "run_local_slack"]
