"""Verbs over HTTP, carried out as the edits and leases that they are, told with their outcome.

Implements `lmxd.http.ports.Verbs`. `reconciler.wishes` says what a verb means; here the world that
it would lead to is looked at first, and nothing is recorded when that is not the one it wants.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from msgspec import UNSET

from lmxd.daemon.control_edits import ControlEdits
from lmxd.daemon.control_leases import ControlLeases
from lmxd.daemon.control_outlook import Outlooks
from lmxd.daemon.control_words import iso
from lmxd.daemon.documents import Documents
from lmxd.desired.drafts import Draft
from lmxd.http.ports import Effect
from lmxd.serving.gate import Gate
from lmxd.serving.names import exactly
from reconciler.naming import source_of
from reconciler.objections import object_to
from reconciler.picture import Picture
from reconciler.state import ConfigView, Lease, ModelKey
from reconciler.wishes import Scene, Wish, wished
from schemas.edit import FILE, Edit, MergePatch, WholeData
from schemas.errors import Code, RequestError
from schemas.leaves import Paths, leaf_changes, setting
from schemas.verbs import Create, Unload, Verb
from schemas.wire.admin import Done, Reloaded
from schemas.wire.control import Changed, LeaseMade

TRIES = 5
"""How often a verb is thought over again because somebody changed the document in between."""

How = Literal["edit", "lease", "release", "nothing"]


@dataclass(frozen=True, slots=True)
class _Order:
    """A verb with who asks for it and how: `ttl_s` None is for good."""

    verb: Verb
    edit: Edit
    ttl_s: float | None
    dry_run: bool

    @property
    def guarded(self) -> bool:
        """Whether it is only for a document that its caller has seen."""
        return any(tag != "*" for tag in self.edit.if_match)


class ControlVerbs:
    """The verbs of one daemon."""

    def __init__(
        self,
        documents: Documents,
        edits: ControlEdits,
        leasing: ControlLeases,
        outlooks: Outlooks,
        gate: Gate,
    ) -> None:
        self._documents = documents
        self._edits = edits
        self._leasing = leasing
        self._outlooks = outlooks
        self._gate = gate

    async def perform(
        self, verb: Verb, edit: Edit, *, ttl_s: float | None, dry_run: bool
    ) -> Effect:
        """Do what a verb says; see the port."""
        order = _Order(verb, edit, ttl_s, dry_run)
        await self._documents.document.look()
        for _ in range(TRIES - 1):
            try:
                return await self._attempt(order)
            except RequestError as error:
                if order.guarded or error.code is not Code.PRECONDITION_FAILED:
                    raise
        return await self._attempt(order)

    async def reload(self) -> Effect:
        """Look at the file now; see the port."""
        before = await self._outlooks.picture()
        await self._documents.document.look()
        view = self._documents.view()
        if view.held is not None:
            details = {"reason": view.held.reason, "sha256": view.held.sha256}
            raise RequestError(Code.DOCUMENT_HELD, view.held.message, details=details)
        if view.accepted is None or not view.valid:
            raise RequestError(
                Code.DOCUMENT_INVALID,
                f"the file is not valid: {view.message}",
                hint="what was in effect before stays in effect",
                details={"reason": view.reason},
            )
        after = await self._outlooks.picture()
        known = before.config.accepted
        changed = known is None or known.generation != view.accepted.generation
        outlook = await self._outlooks.of(before, after.config, changed=changed)
        answer = Reloaded(
            view.accepted.generation, after.epoch, changed, outlook.plan, outlook.warnings
        )
        return Effect(answer, outlook.touched)

    async def _attempt(self, order: _Order) -> Effect:
        """Think it over on what holds now, and do it unless that has changed meanwhile."""
        before = await self._outlooks.picture()
        etag = self._documents.document.etag
        wish = wished(
            order.verb,
            await self._scene(order.verb, before),
            lent=order.ttl_s is not None,
            force=order.edit.force,
        )
        config = await self._config(order, wish)
        after = await self._outlooks.candidate(before, config)
        if not order.edit.force:
            object_to(wish, before, after)
        written = await self._written(order, wish, before, etag) if wish.patch else None
        if not order.dry_run:
            await self._released(wish)
            after = await self._outlooks.picture()
        return await self._told(order, wish, before, written, after)

    async def _scene(self, verb: Verb, picture: Picture) -> Scene:
        name = verb.base if isinstance(verb, Create) else verb.name
        found = exactly(self._gate.routes, name) or _of_source(name, picture)
        before = await self._raised_from(found[0]) if found and isinstance(verb, Unload) else None
        return Scene(picture, found, before)

    async def _raised_from(self, key: ModelKey) -> object:
        """What the document said of a model's state before it was last set over HTTP: `MISSING`
        for nothing, None where people did it in the file.
        """
        path = ("models", key, "state")
        for record in await self._documents.document.history():
            for change in leaf_changes(record.changes):
                if change.path == path:
                    return None if record.author == FILE else change.before
        return None

    async def _config(self, order: _Order, wish: Wish) -> ConfigView:
        """Document and leases as the wish would have them. Raises what writing it would."""
        view, ended = self._documents.view(), {lease.id for lease in wish.ends}
        left = tuple(lease for lease in view.leases if lease.id not in ended)
        if not wish.patch:
            return replace(view, leases=left)
        if order.ttl_s is None:
            draft = await self._draft(order, wish)
            return replace(view, accepted=draft.accepted, leases=left)
        if view.accepted is None:
            return view  # which is refused by who keeps the leases
        if self._said_before(order, wish) is not None:
            return replace(view, leases=left)
        lease = self._documents.leases.proposed(
            wish.patch, order.ttl_s, order.edit.manager, view.accepted
        )
        return replace(view, leases=(*left, lease))

    async def _draft(self, order: _Order, wish: Wish) -> Draft:
        """What would come of the edit, written nowhere."""
        document, edit = self._documents.document, self._edit(order, wish)
        if isinstance(edit.body, WholeData):
            with contextlib.suppress(RequestError):  # there is a file, and it is not valid
                return await document.create(edit, dry_run=True)
        return await document.draft(edit)

    async def _written(
        self, order: _Order, wish: Wish, before: Picture, etag: str
    ) -> Changed | LeaseMade:
        """The edit or the lease, made or rehearsed. What was thought over is what is changed: a
        current ETag says so, after owners of fields were asked without it.
        """
        edit = self._edit(order, wish)
        if order.ttl_s is not None:
            known = self._said_before(order, wish)
            if known is not None:
                return await self._renewed(order, known, before)
            effect = await self._leasing.lend(edit, order.ttl_s, dry_run=order.dry_run)
        elif isinstance(edit.body, WholeData):
            effect = await self._edits.create(edit, dry_run=order.dry_run)
        else:
            edit = edit if order.guarded else replace(edit, if_match=(etag,))
            effect = await self._edits.change(edit, dry_run=order.dry_run, plan_id=None)
        return _answer(effect)

    def _said_before(self, order: _Order, wish: Wish) -> Lease | None:
        """The lease by which the same caller has said the same, if no other lies over it: bots
        repeat themselves to keep something alive.
        """
        paths = Paths(setting(wish.patch))
        for lease in reversed(self._documents.leases.all()):
            if any(paths.touch(path) for path in setting(lease.patch)):
                same = lease.patch == wish.patch and lease.manager == order.edit.manager
                return lease if same else None
        return None

    async def _renewed(self, order: _Order, lease: Lease, before: Picture) -> Changed | LeaseMade:
        """The lease, which ends later from now on, and never sooner than it was to end."""
        ttl_s = order.ttl_s or 0.0
        end = before.observed.at + timedelta(seconds=ttl_s)
        if order.dry_run or end <= lease.expires_at:
            end = max(end, lease.expires_at)
            return LeaseMade(lease.id, iso(end), before.epoch, order.dry_run, {}, (), ())
        return _answer(await self._leasing.extend(lease.id, ttl_s))

    def _edit(self, order: _Order, wish: Wish) -> Edit:
        """The first model of a daemon without a document makes one."""
        if self._documents.view().accepted is None and order.ttl_s is None:
            return replace(order.edit, body=WholeData({"version": 1, **wish.patch}), if_match=())
        return replace(order.edit, body=MergePatch(wish.patch))

    async def _released(self, wish: Wish) -> None:
        """What lies over the wish ends, and requests that were answered count no more."""
        for lease in wish.ends:
            with contextlib.suppress(RequestError):  # it has run out meanwhile
                await self._leasing.end(lease.id)
        if wish.rests:
            self._gate.let_go(ModelKey(wish.key))

    async def _told(
        self,
        order: _Order,
        wish: Wish,
        before: Picture,
        written: Changed | LeaseMade | None,
        after: Picture,
    ) -> Effect:
        """The answer. `after`: the world that holds now, or that a rehearsal leads to."""
        before_rest = _at_rest(before, wish)
        altered = bool(wish.patch or wish.ends)
        outlook = await self._outlooks.of(before_rest, after.config, changed=altered)
        model = after.effective.model(ModelKey(wish.key))
        changed = written if isinstance(written, Changed) else None
        lent = written if isinstance(written, LeaseMade) else None
        accepted = after.config.accepted
        answer = Done(
            model=wish.key,
            state=str(model.state) if model is not None else None,
            how=_how(wish, written, before),
            generation=accepted.generation if accepted is not None else 0,
            epoch=before.epoch if order.dry_run else after.epoch,
            changed=changed is not None and changed.changed,
            dry_run=order.dry_run,
            changes=changed.changes if changed is not None else (),
            diff=changed.diff if changed is not None else "",
            plan=outlook.plan,
            warnings=tuple(
                dict.fromkeys((*(written.warnings if written else ()), *outlook.warnings))
            ),
            shadowed=written.shadowed if written else (),
            etag=changed.etag if changed is not None else UNSET,
            lease=lent.id if lent is not None else UNSET,
            expires_at=lent.expires_at if lent is not None else UNSET,
            ended=tuple(lease.id for lease in wish.ends),
        )
        return Effect(answer, outlook.touched | ({wish.key} if wish.key else set()))


def _answer(effect: Effect) -> Changed | LeaseMade:
    if not isinstance(effect.answer, Changed | LeaseMade):
        raise TypeError(f"an edit was answered with {type(effect.answer).__name__}")
    return effect.answer


def _of_source(name: str, picture: Picture) -> tuple[ModelKey, ...]:
    """Models of just that source."""
    try:
        source = source_of(name)
    except RequestError:
        return ()
    models = picture.effective.models
    return tuple(model.key for model in models if model.artifact.source == source)


def _at_rest(picture: Picture, wish: Wish) -> Picture:
    """The world before, without the demand that the wish lets go of."""
    if not wish.rests:
        return picture
    demands = {k: d for k, d in picture.observed.demands.items() if k != wish.key or d.waiting}
    return replace(picture, observed=replace(picture.observed, demands=demands))


def _how(wish: Wish, written: Changed | LeaseMade | None, before: Picture) -> How:
    if isinstance(written, LeaseMade):
        return "lease"
    if written is not None and written.changed:
        return "edit"
    model = before.effective.model(ModelKey(wish.key))
    demanded = model is not None and model.demanded
    return "release" if wish.ends or (wish.rests and demanded) else "nothing"
