"""`statetool force-unlock`: end the lock of a holder that is dead."""

from __future__ import annotations

import click

from statetool.backends import LockInfo
from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import option
from statetool.cli.project import open_offline, timezone_of
from statetool.cli.running import ensure_can_approve
from statetool.cli.state_changes import approve_shown
from statetool.errors import ExitCode, UsageError
from statetool.render.harmless import for_terminal
from statetool.render.state_work import render_holder
from statetool.state_work import break_lock

LONGEST_REASON = 1000
"""It stands in the lock's own object, where a backend has one, and every look at the lock reads that."""


@click.command("force-unlock", cls=Command)
@click.argument("lock_id", metavar="ID")
@option("--reason", required=True, metavar="TEXT", help="Why its holder is known to be dead; it is kept.")
@option("--auto-approve", is_flag=True, help="Do not ask.")
@click.pass_obj
def force_unlock(console: Console, /, lock_id: str, reason: str, auto_approve: bool) -> int:
    """End the lock ID, whose holder is dead for certain: one that still runs would write beside the next.

    `statetool lock show` names it. Where locks expire, waiting does the same without the danger.
    """
    if len(reason) > LONGEST_REASON:
        raise UsageError(f"--reason is longer than {LONGEST_REASON} characters", hint="say it in a sentence")
    ensure_can_approve(console, auto_approve=auto_approve, has_plan=False)
    project = open_offline()

    def approve(holder: str | LockInfo) -> bool:
        if isinstance(holder, LockInfo):
            text = render_holder(holder, timezone=timezone_of(project))
        else:
            text = for_terminal(holder)
        return approve_shown(console, f"This lock would be broken:\n{text}", auto_approve=auto_approve)

    broken = break_lock(project, lock_id, reason, approve=approve)
    if broken is None:
        console.tell("Declined: the lock stays.")
        return ExitCode.DECLINED
    console.out(for_terminal(f"The lock of {broken.who} was broken. Next: statetool apply, which first finds out what"))
    console.out("became of what that run sent.")
    return ExitCode.DONE
