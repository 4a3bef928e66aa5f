"""A short walk of the state machine at every commit; a long one with `make torture`."""

from __future__ import annotations

from hypothesis import settings
from torture_machine import Machine

TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=12, stateful_step_count=8, deadline=None)
