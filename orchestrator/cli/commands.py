"""The commands, one line each; the module of a command is imported when it is used.

So `assayloop --help`, shell completion and a misspelt command load nothing heavy, and a command
loads only what it needs itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

GROUPS = {
    "campaign": "Change a campaign.",
    "spec": "Check a spec, or print its schema.",
    "result": "Correct or flag measurements.",
    "jobs": "See what evaluators were asked, and settle what is doubtful.",
    "evaluators": "See what can measure.",
    "models": "See and train the models of latent spaces.",
    "data": "Get and add what models are trained on.",
    "db": "Upgrade, check, copy, back up or restore the database.",
    "audit": "Verify, anchor, replay and explain the history.",
    "audit keys": "The keys that sign anchors.",
    "export": "Take a campaign's history elsewhere.",
    "account": "Who may write, and in which role.",
}


class Command(NamedTuple):
    """One command; its options and help are the parameters and docstring of a function."""

    name: str
    """One word, or a group's and its own."""
    function: str
    """``module:attribute`` below this package."""
    help: str
    """The line that lists it."""


COMMANDS = (
    Command("run", "run:run", "Run a campaign from its spec, or continue it."),
    Command("status", "show:status", "List campaigns and how far they are."),
    Command("show", "show:show", "Show the best of a campaign."),
    Command(
        "history", "history:history", "List measurements of a campaign, or its ledger's entries."
    ),
    Command("candidates", "candidates:list_candidates", "List the candidates of a campaign."),
    Command("diff", "diff:diff", "Compare a campaign at two moments, or two campaigns."),
    Command("landscape", "landscape:landscape", "Draw a campaign's objective over its plane."),
    Command("ask", "campaign:ask", "Ask for candidates to measure yourself."),
    Command("tell", "campaign:tell", "Add measurements that were made outside."),
    Command("pause", "campaign:pause", "Pause a campaign; what is under way comes in."),
    Command("resume", "campaign:resume", "Let a paused campaign go on."),
    Command("stop", "campaign:stop", "End a campaign for good."),
    Command("campaign revise", "campaign:revise", "Give a campaign a changed spec."),
    Command("result correct", "result:correct", "Supersede a measurement by a corrected one."),
    Command("result flag", "result:flag", "Say that measurements are suspect or retracted."),
    Command("spec check", "spec:check", "Say whether a spec is good, and what is wrong with it."),
    Command("spec example", "spec:example", "Print a spec that comes with assayloop."),
    Command("spec schema", "spec:schema", "Print the JSON Schema of a spec, for editors."),
    Command("jobs list", "jobs:list_jobs", "List the jobs of a campaign."),
    Command("jobs resolve", "jobs:resolve", "Say whether a doubtful job ran."),
    Command("evaluators list", "evaluators:list_evaluators", "List evaluators and measures."),
    Command("models list", "models:list_models", "List the models of latent spaces."),
    Command("models show", "models:show_model", "Show what a model is and what it reached."),
    Command("models figures", "models:draw_figures", "Draw the figures of a model."),
    Command(
        "models interpolate", "interpolate:interpolate", "Compare ways between objects of a space."
    ),
    Command("models train", "training:train", "Train a model of a latent space."),
    Command("data get", "data:get", "Fetch a public data set to train on."),
    Command("data add", "data:add", "Take in molecules of your own to train on."),
    Command("data list", "data:list_data", "List the data to train on."),
    Command("db upgrade", "db:upgrade", "Create the database, or bring it to this release."),
    Command("db check", "db:check", "Say whether the database is at this release."),
    Command("db copy", "moving:copy", "Copy all campaigns into an empty database."),
    Command("db backup", "moving:backup", "Back up the database while campaigns run."),
    Command("db restore", "moving:restore", "Restore a backup into an empty database."),
    Command("audit verify", "audit:verify", "Verify chains, tables, artifacts and anchors."),
    Command("audit anchor", "audit:anchor", "Sign the heads of all chains."),
    Command("audit keys create", "keys:create", "Make a key that signs anchors."),
    Command("audit keys list", "keys:list_keys", "List the keys, good and revoked."),
    Command("audit keys rotate", "keys:rotate", "Put a new key in the old one's place."),
    Command("audit keys revoke", "keys:revoke", "Let nothing count that a key signs from now on."),
    Command("audit replay", "audit:replay", "Compute stored proposals again."),
    Command("audit explain", "explain:explain", "Say all that is known of a candidate."),
    Command("audit taint", "taint:taint", "List what was computed from corrected values."),
    Command("audit report", "report:report", "Write a campaign's report for a reviewer."),
    Command("export crate", "crate:export", "Write a campaign as an RO-Crate that proves itself."),
    Command("export csv", "export:csv", "Write candidates with their measurements as CSV."),
    Command("export parquet", "export:parquet", "Write the same as Parquet."),
    Command("export jsonl", "export:jsonl", "Write the ledger of a campaign, one entry a line."),
    Command("export sqlite", "export:sqlite", "Write a campaign as a database of its own."),
    Command("import", "crate:import_crate", "Take a crate into an empty installation."),
    Command("account create", "account:create", "Make an account for a person."),
    Command("account list", "account:list_accounts", "List the accounts."),
    Command("account role", "account:role", "Give an account another role."),
    Command("account password", "account:password", "Give an account another password."),
    Command("account disable", "account:disable", "End an account for good."),
    Command("login", "account:login", "Prove who you are, for some hours."),
    Command("logout", "account:logout", "End your login."),
    Command("sign", "sign:sign", "Sign an entry of the history."),
    Command("audit signatures", "sign:list_signatures", "List who signed what of a campaign."),
)


class LazyCommand(TyperCommand):
    """Stands for a command in listings; the command itself is loaded when it is to parse."""

    def __init__(self, name: str, command: Command) -> None:
        super().__init__(name, help=command.help)
        self.command = command

    def make_context(self, info_name: str | None, *args: Any, **kwargs: Any) -> Any:
        """The context of the real command, in which it is then invoked."""
        return self.load().make_context(info_name, *args, **kwargs)

    def load(self) -> Any:
        """The command made of the function."""
        module, _, attribute = self.command.function.partition(":")
        function = getattr(import_module(f"orchestrator.cli.{module}"), attribute)
        app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        app.command(self.name, context_settings=CONTEXT)(function)
        return get_command(app)


CONTEXT = {"help_option_names": ["-h", "--help"]}


def build(root: typer.Typer) -> TyperGroup:
    """The command line: the root's own options, and below it every command of the table."""
    group = get_command(root)
    assert isinstance(group, TyperGroup)
    below = {"": group}
    for path, line in GROUPS.items():
        above, _, name = path.rpartition(" ")
        below[path] = TyperGroup(
            name=name, help=line, no_args_is_help=True, context_settings=CONTEXT
        )
        below[above].add_command(below[path])
    for command in COMMANDS:
        above, _, name = command.name.rpartition(" ")
        below[above].add_command(LazyCommand(name, command))
    return group
