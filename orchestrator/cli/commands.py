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
    "result": "Bring results from the bench; correct or flag measurements.",
    "jobs": "See what evaluators were asked; take, cancel and settle jobs.",
    "evaluators": "See what can measure.",
    "models": "See and train the models of latent spaces.",
    "data": "Get and add what models are trained on; import earlier measurements.",
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
    Command("run", "campaigns.run:run", "Run a campaign from its spec, or continue it."),
    Command("serve", "serve:serve", "Receive results while nobody drives."),
    Command("status", "campaigns.status_and_show:status", "List campaigns and how far they are."),
    Command("show", "campaigns.status_and_show:show", "Show the best of a campaign."),
    Command("report", "campaigns.report:report", "Write a campaign's report as it stands now."),
    Command(
        "history",
        "campaigns.history:history",
        "List measurements of a campaign, or its ledger's entries.",
    ),
    Command(
        "candidates", "campaigns.candidates:list_candidates", "List the candidates of a campaign."
    ),
    Command("diff", "campaigns.diff:diff", "Compare a campaign at two moments, or two campaigns."),
    Command(
        "landscape", "campaigns.landscape:landscape", "Draw a campaign's objective over its plane."
    ),
    Command("ask", "campaigns.ask_tell_steer:ask", "Ask for candidates to measure yourself."),
    Command("tell", "campaigns.ask_tell_steer:tell", "Add measurements that were made outside."),
    Command("approve", "campaigns.approval:approve", "Let candidates be measured that wait."),
    Command("reject", "campaigns.approval:reject", "Turn candidates down that wait."),
    Command("edit", "campaigns.approval:edit", "Have another object measured instead."),
    Command(
        "pause", "campaigns.ask_tell_steer:pause", "Pause a campaign; what is under way comes in."
    ),
    Command("resume", "campaigns.ask_tell_steer:resume", "Let a paused campaign go on."),
    Command("stop", "campaigns.ask_tell_steer:stop", "End a campaign for good."),
    Command(
        "campaign revise", "campaigns.ask_tell_steer:revise", "Give a campaign a changed spec."
    ),
    Command(
        "result enter", "campaigns.bring_results:enter", "Bring the result of one job of yours."
    ),
    Command(
        "result confirm",
        "campaigns.bring_results:confirm",
        "Say that a result which another entered is right.",
    ),
    Command("result import", "campaigns.bring_results:import_table", "Bring a filled table."),
    Command(
        "result correct",
        "campaigns.correct_and_flag:correct",
        "Supersede a measurement by a corrected one.",
    ),
    Command(
        "result flag",
        "campaigns.correct_and_flag:flag",
        "Say that measurements are suspect or retracted.",
    ),
    Command(
        "result reread",
        "campaigns.correct_and_flag:reread",
        "Read stored deliveries once more.",
    ),
    Command(
        "spec check",
        "campaigns.spec:check",
        "Say whether a spec is good, and what is wrong with it.",
    ),
    Command("spec example", "campaigns.spec:example", "Print a spec that comes with assayloop."),
    Command("spec keys", "campaigns.spec:keys", "List every key of a spec, with an example."),
    Command(
        "spec schema", "campaigns.spec:schema", "Print the JSON Schema of a spec, for editors."
    ),
    Command("jobs list", "campaigns.jobs:list_jobs", "List the jobs of a campaign."),
    Command("jobs sheet", "campaigns.jobs:sheet", "Write a person's jobs as a table to fill in."),
    Command("jobs take", "campaigns.jobs:take", "Say that you are at a job."),
    Command("jobs cancel", "campaigns.jobs:cancel", "End jobs, whatever they are doing."),
    Command("jobs requeue", "campaigns.jobs:requeue", "Send a job again."),
    Command("jobs resolve", "campaigns.jobs:resolve", "Say whether a doubtful job ran."),
    Command("evaluators check", "campaigns.evaluators:check", "Look whether evaluators are ready."),
    Command(
        "evaluators list", "campaigns.evaluators:list_evaluators", "List evaluators and measures."
    ),
    Command(
        "evaluators new",
        "campaigns.new_evaluator:new",
        "Write a package for an evaluator of your own.",
    ),
    Command("models list", "models.list_and_show:list_models", "List the models of latent spaces."),
    Command(
        "models show",
        "models.list_and_show:show_model",
        "Show what a model is and what it reached.",
    ),
    Command("models figures", "models.list_and_show:draw_figures", "Draw the figures of a model."),
    Command(
        "models interpolate",
        "models.interpolate:interpolate",
        "Compare ways between objects of a space.",
    ),
    Command("models train", "models.train:train", "Train a model of a latent space."),
    Command("data get", "models.data_sets:get", "Fetch a public data set to train on."),
    Command("data add", "models.data_sets:add", "Take in molecules of your own to train on."),
    Command("data import", "campaigns.import_data:import_data", "Take in earlier measurements."),
    Command("data list", "models.data_sets:list_data", "List the data to train on."),
    Command(
        "db upgrade", "database.schema:upgrade", "Create the database, or bring it to this release."
    ),
    Command("db check", "database.schema:check", "Say whether the database is at this release."),
    Command(
        "db copy", "database.copy_backup_restore:copy", "Copy all campaigns into an empty database."
    ),
    Command(
        "db backup",
        "database.copy_backup_restore:backup",
        "Back up the database while campaigns run.",
    ),
    Command(
        "db restore",
        "database.copy_backup_restore:restore",
        "Restore a backup into an empty database.",
    ),
    Command(
        "audit verify",
        "audit.verify:verify",
        "Verify chains, tables, artifacts and anchors.",
    ),
    Command("audit anchor", "audit.anchor:anchor", "Sign the heads of all chains."),
    Command("audit keys create", "audit.anchor_keys:create", "Make a key that signs anchors."),
    Command("audit keys list", "audit.anchor_keys:list_keys", "List the keys, good and revoked."),
    Command(
        "audit keys rotate", "audit.anchor_keys:rotate", "Put a new key in the old one's place."
    ),
    Command(
        "audit keys revoke",
        "audit.anchor_keys:revoke",
        "Let nothing count that a key signs from now on.",
    ),
    Command("audit replay", "audit.replay:replay", "Compute stored proposals again."),
    Command("audit explain", "audit.explain:explain", "Say all that is known of a candidate."),
    Command("audit taint", "audit.taint:taint", "List what was computed from corrected values."),
    Command(
        "audit report", "audit.review_report:report", "Write a campaign's report for a reviewer."
    ),
    Command(
        "export crate", "export.crate:export", "Write a campaign as an RO-Crate that proves itself."
    ),
    Command("export csv", "export.tables:csv", "Write candidates with their measurements as CSV."),
    Command("export parquet", "export.tables:parquet", "Write the same as Parquet."),
    Command(
        "export jsonl", "export.tables:jsonl", "Write the ledger of a campaign, one entry a line."
    ),
    Command("export sqlite", "export.tables:sqlite", "Write a campaign as a database of its own."),
    Command("import", "export.crate:import_crate", "Take a crate into an empty installation."),
    Command("account create", "people.accounts:create", "Make an account for a person."),
    Command("account list", "people.accounts:list_accounts", "List the accounts."),
    Command("account role", "people.accounts:role", "Give an account another role."),
    Command("account password", "people.accounts:password", "Give an account another password."),
    Command("account disable", "people.accounts:disable", "End an account for good."),
    Command("login", "people.accounts:login", "Prove who you are, for some hours."),
    Command("logout", "people.accounts:logout", "End your login."),
    Command("sign", "people.signatures:sign", "Sign an entry of the history."),
    Command(
        "audit signatures",
        "people.signatures:list_signatures",
        "List who signed what of a campaign.",
    ),
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
