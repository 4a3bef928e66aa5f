"""Executing a plan: the only package that changes the platform, and the one writer of state during a run.

    executor.py    the loop: what starts when, what follows from each ending
    operation.py   one action, from the last look before sending to its verified end
    ending.py      how one action ended, and what the state should keep of it
    verdict.py     pure answers: is the goal there, has the world moved, what is missing
    waiting.py     how often to look, and following one job of the platform to its end
    idle.py        waiting for busy components before a plan is made
    keeper.py      the state of a run: what each ending records, and when it is written
    signals.py     Ctrl-C and SIGTERM: ask to stop, then leave at once
    run.py         what a run is given from outside: clock, limits, platform, listener

It emits events and never prints. It must not decide what is to be done: the plan says so, action by action.
"""
