"""The calls the tool makes to ServiceStage, in the model's types.

Owns paths, paging and which request answers which question. How a request travels is `channel.py`, what its
answer says is `wire.py`. It must not decide anything about a component.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from statetool.core.deploy import Configuration
from statetool.core.model import Application, Closer, Job, Json, Observed, Recorded
from statetool.core.plan import Verb
from statetool.errors import AnswerUnreadable, NotFound, PlatformError, RequestRefused
from statetool.servicestage.answer import Answer, parse_json
from statetool.servicestage.auth import Auth
from statetool.servicestage.channel import Channel, Deadlines, RequestCount, Timing
from statetool.servicestage.configuration import parse_past_configuration
from statetool.servicestage.endpoint import parse_endpoint
from statetool.servicestage.problems import build_outcome_unknown, name_answer
from statetool.servicestage.rate import Rates
from statetool.servicestage.requests import (
    GrayRuleBody,
    build_action_body,
    build_batch_body,
    build_deploy_body,
)
from statetool.servicestage.wire import (
    Page,
    parse_action_answer,
    parse_applications,
    parse_closer,
    parse_component,
    parse_components,
    parse_existence,
    parse_job,
)

T = TypeVar("T")

PAGE_ROWS = 100  # the most a page may have [section 1]
MAX_PAGES = 1000
LIST_TRIES = 3
_OLDEST_FIRST: Mapping[str, str | int] = {"limit": PAGE_ROWS, "order_by": "create_time", "order": "asc"}
_NEWEST_FIRST: Mapping[str, str | int] = {"limit": PAGE_ROWS, "offset": 0, "order_by": "create_time", "order": "desc"}
_IN_PROCESS_ENDPOINT = "http://sandbox"
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


class ServiceStage:
    """One project of the platform. Use it as an async context manager.

    Every method raises PlatformError and nothing else for what the network or the platform does. Reads are
    bounded by the client, whatever the caller starts at once; changing requests are the caller's to bound.
    `gray_rule_body` says where modify_gray_rule puts its rule.
    With `transport` (the in-process sandbox) nothing leaves the process, so `endpoint` is only a label.
    `allowed_hosts` may get credentials besides the platform's own hosts. `auth` None sends none; it is closed with
    the client. `rates` None means the usual ones over the network, and with `transport` none.
    """

    def __init__(
        self,
        endpoint: str,
        project_id: str,
        *,
        auth: Auth | None,
        transport: httpx.AsyncBaseTransport | None = None,
        allowed_hosts: Collection[str] = (),
        gray_rule_body: GrayRuleBody = "flat",
        deadlines: Deadlines = Deadlines(),  # noqa: B008 - frozen
        rates: Rates | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        auth = auth or Auth()
        if transport is None:
            base = parse_endpoint(endpoint, sends_credentials=auth.sends_credentials, allowed_hosts=allowed_hosts)
        else:
            base = endpoint.rstrip("/") if endpoint.startswith(("http://", "https://")) else _IN_PROCESS_ENDPOINT
        self._gray_rule_body = gray_rule_body
        self._root = f"/v3/{_segment(project_id)}/cas"
        self._channel = Channel(
            base,
            auth=auth,
            transport=transport,
            timing=Timing(sleep, jitter, clock),
            deadlines=deadlines,
            rates=rates or (Rates() if transport is None else None),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    @property
    def requests(self) -> RequestCount:
        """HTTP requests sent so far."""
        return self._channel.requests

    async def fetch_applications(self) -> tuple[Application, ...]:
        """All applications of the project, oldest first."""
        return await self._fetch_list(f"{self._root}/applications", parse_applications, lambda row: row.id)

    async def fetch_components(self, application: Application) -> tuple[Observed, ...]:
        """All components of an application, oldest first, without `closer`: one request a hundred."""
        path = f"{self._root}/applications/{_segment(application.id)}/components"
        return await self._fetch_list(
            path, lambda body: parse_components(body, application), lambda row: row.component_id
        )

    async def fetch_components_of(self, applications: Iterable[Application]) -> tuple[Observed, ...]:
        """The components of several applications, their lists read at once."""
        lists = await _together(*(self.fetch_components(application) for application in applications))
        return tuple(component for one in lists for component in one)

    async def fetch_closer_looks(self, observed: Sequence[Observed]) -> tuple[Observed, ...]:
        """The same components in the same order, each with `closer`: two requests each."""
        looks = await _together(*(self.fetch_closer(o.application_id, o.component_id) for o in observed))
        return tuple(replace(o, closer=closer) for o, closer in zip(observed, looks, strict=True))

    async def fetch_closer(self, application_id: str, component_id: str) -> Closer:
        """What only detail and records tell: two requests. Of the records, the newest hundred."""
        path = self._component_path(application_id, component_id)
        detail, records = await _together(
            self._channel.read(path, {}), self._channel.read(f"{path}/records", _NEWEST_FIRST)
        )
        records_body = _parsed(records, lambda body: body)
        return _parsed(detail, lambda body: parse_closer(body, records_body))

    async def fetch_past(self, wanted: Sequence[tuple[Observed, Collection[str]]]) -> tuple[Observed, ...]:
        """The same components in the same order, with what these versions of each ran with in `closer.past`, as far as
        the platform knows: one request a version. One without `closer` comes back as it is."""
        return tuple(await _together(*(self._fetch_with_past(o, versions) for o, versions in wanted)))

    async def _fetch_with_past(self, observed: Observed, versions: Collection[str]) -> Observed:
        if observed.closer is None:
            return observed
        answers = await _together(*(self.fetch_past_configuration(observed, version) for version in versions))
        known = {version: found for version, found in zip(versions, answers, strict=True) if found is not None}
        return replace(observed, closer=replace(observed.closer, past={**observed.closer.past, **known}))

    async def fetch_past_configuration(self, observed: Observed, version: str) -> Configuration | None:
        """What a version of the component ran with [endpoint 15]. None where the platform says that it does not know
        the version, or answers of another one, as it does where it does not know the question [06_0081]."""
        path = self._component_path(observed.application_id, observed.component_id)
        try:
            answer = await self._channel.read(path, {"version": version})
            return _parsed(answer, lambda body: parse_past_configuration(body, version))
        except NotFound:
            return None

    async def fetch_component(self, observed: Observed) -> Observed:
        """The component as it is now, without `closer`: one request."""
        path = self._component_path(observed.application_id, observed.component_id)
        return _parsed(await self._channel.read(path, {}), lambda body: parse_component(body, observed))

    async def fetch_existing(self, recorded: Iterable[Recorded]) -> frozenset[str]:
        """The ids of those recorded components that answer when they are asked for by id: one request each.

        Only the platform's own word for missing counts as none; whatever else goes wrong is raised.
        """
        records = list(recorded)
        found = await _together(*(self._exists(record) for record in records))
        return frozenset(record.component_id for record, exists in zip(records, found, strict=True) if exists)

    async def _exists(self, record: Recorded) -> bool:
        path = self._component_path(record.application_id, record.component_id)
        try:
            return _parsed(await self._channel.read(path, {}), parse_existence)
        except NotFound:
            return False

    async def fetch_job(self, job_id: str) -> Job:
        """One job with its first hundred tasks."""
        answer = await self._channel.read(f"{self._root}/jobs/{_segment(job_id)}", {"limit": PAGE_ROWS})
        return _parsed(answer, lambda body: parse_job(body, job_id))

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait until a changing request may go out: the first one inside the block does not wait any more.

        A component that is read inside the block is therefore as it was read when the request goes out.
        """
        return self._channel.turn()

    async def send_action(
        self,
        application_id: str,
        component_id: str,
        verb: Verb,
        parameters: Mapping[str, Json],
        *,
        ensure_may_send: Callable[[], None] = lambda: None,
    ) -> str | None:
        """Send one verb, once. Returns the job id; None where the platform accepted it without a job.

        `ensure_may_send` is asked right before every try of the request; what it raises is raised: nothing was sent.

        UPGRADE deploys: the component is read, and written with what `parameters` change of it.

        Raises OutcomeUnknown where the request went out and its answer is lost: it may have been carried out
        and must not be repeated blindly. Every other error means that it was not. A cancellation while it is
        under way takes effect at the caller's next await, after this has returned.
        """
        path = self._component_path(application_id, component_id)
        if verb is Verb.UPGRADE:
            body = _parsed(await self._channel.read(path, {}), lambda detail: build_deploy_body(detail, parameters))
            answer = await self._channel.write(path, body, method="PUT", ensure_may_send=ensure_may_send)
        else:
            body = build_action_body(verb, parameters, self._gray_rule_body)
            answer = await self._channel.write(f"{path}/action", body, ensure_may_send=ensure_may_send)
        if answer.status == 204:
            return None
        try:
            return _parsed(answer, parse_action_answer)
        except AnswerUnreadable as error:
            raise build_outcome_unknown(error) from error

    async def sync_workloads(self, components: Sequence[Observed]) -> None:
        """Ask the platform to read these components' workloads again, a hundred a request [06_0316].

        What it answers nobody documents, so it is not read; the components show what came of it.
        """
        for start in range(0, len(components), PAGE_ROWS):
            body = build_batch_body(Verb.SYNC_WORKLOAD, components[start : start + PAGE_ROWS])
            await self._channel.write(f"{self._root}/components/action", body)

    async def refresh_components(self, components: Iterable[Observed]) -> None:
        """Ask the platform to count these components' instances again: one request each, without a body [06_0184]."""
        for one in components:
            path = self._component_path(one.application_id, one.component_id)
            await self._channel.write(f"{path}/refresh", None, method="PUT")

    def _component_path(self, application_id: str, component_id: str) -> str:
        return f"{self._root}/applications/{_segment(application_id)}/components/{_segment(component_id)}"

    async def _fetch_list(
        self, path: str, parse: Callable[[Json], Page[T]], row_id: Callable[[T], str]
    ) -> tuple[T, ...]:
        """A whole list, read again from the start where it changed while its pages were read.

        Rows are ordered by age, so that new ones only append; a deleted row shifts the rest and one may slip
        between two pages. The rows must therefore be as many as the platform says, each once.
        """
        seen = ""
        for _ in range(LIST_TRIES):
            pages = await self._fetch_pages(path, parse)
            rows = {row_id(row): row for page in pages for row in page.items}
            counts = {page.count for page in pages}
            if counts == {len(rows)}:
                return tuple(rows.values())
            seen = f"{len(rows)} rows came for a count of {' or '.join(str(n) for n in sorted(counts)[:3])}"
        raise AnswerUnreadable(
            f"GET {path}: the list kept changing while it was read ({LIST_TRIES} times; the last time {seen})",
            hint="try again when nobody creates or deletes components",
        )

    async def _fetch_pages(self, path: str, parse: Callable[[Json], Page[T]]) -> list[Page[T]]:
        first = await self._fetch_page(path, parse, 0)
        step = len(first.items)
        if step == 0:
            return [first]
        # That `count` is of all rows and not of the page is inferred [section 1]. Where both would be a full
        # page, one more request tells.
        last = first.count + 1 if first.count == step == PAGE_ROWS else first.count
        offsets = range(step, last, step)
        if len(offsets) > MAX_PAGES:
            raise AnswerUnreadable(f"GET {path}: count: expected at most {MAX_PAGES} pages, found {first.count} rows")
        return [first, *await _together(*(self._fetch_page(path, parse, offset) for offset in offsets))]

    async def _fetch_page(self, path: str, parse: Callable[[Json], Page[T]], offset: int) -> Page[T]:
        return _parsed(await self._channel.read(path, {**_OLDEST_FIRST, "offset": offset}), parse)


def _parsed(answer: Answer, parse: Callable[[Json], T]) -> T:
    """The answer in the model's types. An error about its shape gets the request it belongs to."""
    try:
        return parse(parse_json(answer))
    except PlatformError as error:
        raise name_answer(error, answer) from None


async def _together(*work: Coroutine[Any, Any, T]) -> list[T]:
    """Run reads at once; the first failure stops the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def _segment(value: str) -> str:
    """An id, fit to be a part of a path. Ids also come from files, and a `..` would name another resource."""
    if not _ID.fullmatch(value):
        raise RequestRefused(f"{value[:80]!r} is not an id of the platform; nothing was sent", code="bad_id")
    return value
