"""What is done under the watch: every public callable with a marked value, going well and going wrong.

A new one is covered by a line here: a call in one of the tables, or a scenario.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from pydantic import SecretStr
from secrecy_watch import CREDENTIAL, VALUE, Watch

import secretbridge as sb
from secretbridge import migrate, testing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

FACES = ("blocking", "asyncio", "trio")
#: Files that hold values on purpose: a store in the clear, what was written with --out, and keys.
IN_THE_CLEAR = {"plain.env", "plain.json", "target.env", "vault.key", "second.key", "other.key", "marked.key"}
LATER = datetime(2031, 1, 1, tzinfo=UTC)
ECHO = {"message": VALUE, "error": f"{CREDENTIAL} {VALUE}", "detail": VALUE, "statusCode": 400}


@dataclass
class Ground:
    """Where a scenario takes place."""

    folder: Path
    watch: Watch
    patch: pytest.MonkeyPatch

    def local(self, name: str = "vault", **options: Any) -> sb.Local:
        return sb.Local(self.folder / f"{name}.db", key_file=self.folder / "vault.key", **options)

    def variable(self, name: str, text: str) -> None:
        """Set a variable of this process, as whoever started it has."""
        self.patch.setenv(name, text)
        self.watch.events.clear()  # this was not the package

    def tried(self, call: Callable[[], Any]) -> Any:
        """Make a call that may fail in our way; gives None then."""
        try:
            result = call()
            return anyio.run(_awaited, result) if inspect.isawaitable(result) else result
        except sb.SecretBridgeError as error:
            self.watch.look(error, f"{type(error).__name__}, caught")
            return None


def telling_all(*_: object) -> str:
    """Fail as a callable of somebody else's may: with everything in its message."""
    raise RuntimeError(f"{VALUE} {CREDENTIAL}")


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


async def _all_of(result: Any) -> Any:
    if inspect.isawaitable(result):
        return await result
    if hasattr(result, "__aiter__"):
        return [one async for one in result]
    return list(result) if inspect.isgenerator(result) else result


def on(face: str, make: Callable[[], Any], calls: list[Any], ground: Ground) -> None:
    """Make calls on one object of either face: ``(way to the method, positional, named)`` each."""

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            thing = make()
            if hasattr(thing, "__aenter__"):
                await stack.enter_async_context(thing)
            else:
                stack.enter_context(thing)
            for number, (way, positional, named) in enumerate(calls):
                if number % 8 == 0:
                    ground.watch.sample()
                target = thing
                for word in way.split("."):
                    target = getattr(target, word)
                try:
                    ground.watch.look(
                        await _all_of(target(*positional, **named) if callable(target) else target), way
                    )
                except sb.SecretBridgeError as error:
                    ground.watch.look(error, f"{way}, caught")

    if face == "blocking":
        from secretbridge._runtime import finish

        finish(main())
    else:
        options = {"debug": True} if face == "asyncio" else {}
        anyio.run(main, backend=face, backend_options=options)


# The verbs over every provider.

VERBS: list[Any] = [
    ("capabilities", (), {}),
    ("list_secrets", (), {}),
    ("iter_secrets", (), {}),
    ("create_secret", ("CREATED",), {"value": VALUE, "description": "text"}),
    ("create_secret", ("CREATED",), {"value": VALUE}),
    ("put_secret", ("EXISTING",), {"value": SecretStr(VALUE)}),
    ("get_secret", ("EXISTING",), {}),
    ("update_secret", ("EXISTING",), {"value": VALUE, "verify": True}),
    ("update_secret", ("EXISTING",), {"value": [VALUE], "active": VALUE, "expires_at": VALUE}),
    ("update_secret", ("EXISTING",), {"value": VALUE, "if_version": 99}),
    ("update_secret", ("ABSENT",), {"value": VALUE}),
    ("get_secret", ("ABSENT",), {}),
    ("with_options", (), {"timeout": 5.0}),
    ("with_options", (), {"timeout": CREDENTIAL}),
    ("rehearsal", (), {}),
    ("delete_secret", ("CREATED",), {}),
    ("delete_secret", ("ABSENT",), {}),
]
ALL_VERBS = ("list_secrets", "iter_secrets", "create_secret", "put_secret", "get_secret", "update_secret")


def standins() -> Iterator[tuple[Any, Any]]:
    """Each stand-in that takes the marked credential and holds the marked value, with its provider."""
    ionet, wix = testing.IoNetStandIn(api_key=CREDENTIAL), testing.WixStandIn(api_key=CREDENTIAL)
    insforge = testing.InsForgeStandIn(api_key=CREDENTIAL)
    appfarm = testing.AppfarmStandIn(api_key=CREDENTIAL)
    for one in (ionet, wix, insforge, appfarm):
        one.seed("EXISTING", VALUE)
    path = "/api/services/secrets/update-secret"
    yield ionet, sb.IoNet(api_key=CREDENTIAL)
    yield wix, sb.Wix(api_key=CREDENTIAL, site_id=wix.site_id)
    yield insforge, sb.InsForge(insforge.base_url, api_key=CREDENTIAL)
    yield appfarm, sb.Appfarm(appfarm.base_url, api_key=CREDENTIAL, path=path, secrets=["EXISTING"])


def verbs_over_http(ground: Ground, face: str) -> None:
    """Go through the verbs: well, with a vendor that echoes everything, and with lost answers."""
    kind = sb.SecretBridge if face == "blocking" else sb.AsyncSecretBridge
    answer = testing.Reply(400, ECHO, headers=[("x-request-id", VALUE), ("location", VALUE)])
    faults = (None, answer, testing.Lost()) if face == "blocking" else (None, answer)
    for fault in faults:  # test_canary has many more
        for standin, provider in standins():
            if fault is not None:
                standin.script(*[fault] * 100)
            options = {"retry": None, "pace": None, "transport": standin.transport()}
            on(face, lambda p=provider, o=options: kind(p, **o), VERBS, ground)
            ground.watch.look(standin, "a stand-in")
            ground.watch.look(standin.requests, "a stand-in's requests")
            ground.watch.look(standin.secrets, "a stand-in's rows")


def verbs_over_sockets(ground: Ground, face: str) -> None:
    """Go through the verbs on real sockets, with the loggers of all libraries below."""
    kind = sb.SecretBridge if face == "blocking" else sb.AsyncSecretBridge
    standin = testing.InsForgeStandIn(api_key=CREDENTIAL)
    standin.seed("EXISTING", VALUE)
    with standin.serve() as url:
        provider = sb.InsForge(url, api_key=lambda: SecretStr(CREDENTIAL))
        on(face, lambda: kind(provider, retry=None, pace=None), VERBS, ground)


def verbs_over_files(ground: Ground, face: str) -> None:
    """Go through the verbs over a vault, dotenv, JSON and the process's environment."""
    kind = sb.SecretBridge if face == "blocking" else sb.AsyncSecretBridge
    providers = [
        ground.local(),
        sb.Dotenv(ground.folder / "plain.env"),
        sb.JsonFile(ground.folder / "plain.json"),
        sb.Environment(prefix="SECRECY_"),
    ]
    for provider in providers:
        calls = [("create_secret", ("EXISTING",), {"value": VALUE}), *VERBS]
        on(face, lambda p=provider: kind(p), calls, ground)
        ground.watch.look(provider, "a provider")


def verbs_over_damage(ground: Ground, face: str) -> None:
    """Go through the verbs over files that are something else, and a vault with another key."""
    kind = sb.SecretBridge if face == "blocking" else sb.AsyncSecretBridge
    junk = f"{VALUE}\n{CREDENTIAL}\0".encode() * 400
    for name in ("marked.key", "plain.env", "plain.json"):
        (ground.folder / name).write_bytes(junk)
    with sb.SecretBridge(ground.local()) as bridge:
        bridge.create_secret("EXISTING", value=VALUE)
    other = sb.Local(ground.folder / "vault.db", passphrase=CREDENTIAL)
    providers = [other, sb.Dotenv(ground.folder / "plain.env"), sb.JsonFile(ground.folder / "plain.json")]
    providers.append(sb.Local(ground.folder / "vault.db", key_file=ground.folder / "marked.key"))
    for provider in providers:
        on(face, lambda p=provider: kind(p), [call for call in VERBS if call[0] in ALL_VERBS], ground)
    ground.tried(lambda: sb.update_secret(providers[0], "EXISTING", value=VALUE))
    (ground.folder / "plain.env").unlink()


# The vault's administration.


def administration(folder: Path, *, key: str) -> list[Any]:
    """Every call of its administration, in an order in which one builds on the other."""
    second = sb.KeyFile(folder / "second.key")
    return [
        ("create_many", ({"A": VALUE, "B": SecretStr(VALUE), "D": VALUE},), {}),
        ("create_many", ({"A": VALUE},), {}),
        ("create_many", ({"E": VALUE.encode()},), {}),
        ("history", ("A",), {}),
        ("history", (), {"id": "none"}),
        ("version", ("A", 1), {}),
        ("version", ("A", 99), {}),
        ("restore", ("A", 1), {}),
        ("restore", ("A", 99), {}),
        ("purge", ("D",), {"deleted": True}),
        ("undelete", ("D",), {}),
        ("undelete", ("NONE",), {}),
        ("expiring", (timedelta(days=4000),), {}),
        ("expiring", (VALUE,), {}),
        ("describe", ("A",), {}),
        ("describe", ("NONE",), {}),
        ("share", ("B",), {}),
        ("unshare", ("B",), {}),
        ("share", ("NONE",), {}),
        ("unshare", ("NONE",), {}),
        ("set_audit_reads", ("durable",), {}),
        ("set_audit_reads", (VALUE,), {}),
        ("retention", (), {}),
        ("set_retention", (), {"versions": 5, "days": None}),
        ("set_retention", (), {"versions": VALUE, "days": [VALUE]}),
        ("location", (), {}),
        ("key_file", (), {}),
        ("environments.list", (), {}),
        ("environments.add", ("qa",), {}),
        ("environments.add", ("qa",), {}),
        ("environments.rename", ("qa", "checks"), {}),
        ("environments.rename", ("none", "checks"), {}),
        ("principals.add_user", ("ann", sb.Passphrase(CREDENTIAL)), {"roles": ["reader"]}),
        ("principals.add_user", ("ann", CREDENTIAL), {"roles": 5}),
        ("principals.add_service_account", ("deploy",), {"permissions": ["read_secret"]}),
        ("principals.add_service_account", ("deploy",), {}),
        ("principals.list", (), {}),
        *[
            (f"principals.{verb}", (who, *arguments), {})
            for who in ("ann", "nobody")
            for verb, arguments in (
                ("grant", ("delete",)),
                ("revoke", ("delete",)),
                ("assign", ("writer",)),
                ("unassign", ("writer",)),
                ("set_environments", (["development"],)),
                ("set_expiry", (LATER,)),
                ("renew_key", ()),
                ("remove", ()),
            )
        ],
        ("principals.renew_key", ("deploy",), {}),
        ("slots.list", (), {}),
        ("slots.add", (second, "second"), {}),
        ("slots.add", (CREDENTIAL,), {}),
        ("slots.add", (sb.EnvironmentKey("SECRECY_KEY"), "variable"), {}),
        ("slots.add", (sb.EnvironmentKey("SECRECY_MARKED"), "marked"), {}),
        ("slots.add", (sb.ExternalKey(Outside(), name="outside"), "outside"), {}),
        ("slots.add", (sb.ExternalKey(Outside(fails=True), name="failing"), "failing"), {}),
        ("slots.add", (sb.KeyringKey("secretbridge", "nobody"), "ring"), {}),
        ("slots.change", ("variable", sb.Passphrase(lambda: CREDENTIAL)), {}),
        ("slots.change", ("none", second), {}),
        ("slots.remove", ("variable",), {}),
        ("slots.remove", ("none",), {}),
        ("audit", (), {}),
        ("audit", (), {"after": VALUE}),
        ("export_audit", (io.StringIO(),), {}),
        ("audit_head", (), {}),
        ("verify_audit", (), {}),
        ("verify_audit", (VALUE,), {}),
        ("verify", (), {}),
        ("backup", (folder / f"backup-{key}.db",), {}),
        ("backup", (folder / f"backup-{key}.db",), {}),
        ("move_to", (folder / f"moved-{key}.db",), {}),
        ("move_to", (folder / f"moved-{key}.db",), {}),
        ("rekey", (), {}),
        ("rekey", (), {"batch": VALUE}),
        ("rotate_root", ([CREDENTIAL],), {}),
        ("rotate_root", ([sb.KeyFile(folder / "vault.key")],), {"consent": ["second", "outside"]}),
        ("purge", (), {"older_versions": True}),
        ("purge", (VALUE.encode(),), {}),
        ("close", (), {}),
    ]


class Outside:
    """A key service as somebody else may write it; one that fails tells everything."""

    def __init__(self, *, fails: bool = False) -> None:
        self._fails = fails

    def wrap(self, key: bytes) -> bytes:
        if self._fails:
            raise RuntimeError(f"{CREDENTIAL} {key!r}")
        return key[::-1]

    def unwrap(self, wrapped: bytes) -> bytes:
        return wrapped[::-1]


def administering(ground: Ground, face: str) -> None:
    """Go through the vault's administration, then through the same on a vault that is damaged or shut."""
    kind = sb.Vault if face == "blocking" else sb.AsyncVault
    own = ground.watch.also(sb.EnvironmentKey.generate().get_secret_value())
    ground.variable("SECRECY_KEY", own)
    ground.variable("SECRECY_MARKED", "no key at all")
    file, key = ground.folder / "vault.db", ground.folder / "vault.key"
    with sb.SecretBridge(ground.local()) as bridge:
        bridge.create_secret("D", value=VALUE)
        bridge.delete_secret("D")
    calls = administration(ground.folder, key=face)
    on(face, lambda: kind(file, key_file=key), calls, ground)
    whole = file.read_bytes()
    plain = [call for call in calls if call[0] not in {"location", "key_file", "close"}]
    for side in ("-wal", "-shm"):
        Path(f"{file}{side}").unlink(missing_ok=True)
    file.write_bytes(f"{VALUE} {CREDENTIAL}".encode() * 500)
    on(face, lambda: kind(file, key_file=key), plain, ground)
    file.write_bytes(whole)
    on(face, lambda: kind(file, passphrase=telling_all), plain[:8], ground)
    on(face, lambda: kind(file, account_key=sb.AccountKey.generate()), plain[:4], ground)
    on(face, lambda: kind(file, credential=sb.KeyringKey("a", "b")), plain[:4], ground)
    for wrong in ({"passphrase": [CREDENTIAL]}, {"account_key": CREDENTIAL}, {"credential": CREDENTIAL}):
        ground.tried(lambda w=wrong: kind(file, **w))
    (ground.folder / "another").mkdir(exist_ok=True)
    shutil.copy(key, ground.folder / "other.key")


def credentials(ground: Ground, face: str) -> None:
    """Make and show what opens a vault."""
    del face
    key = sb.AccountKey.generate()
    ground.watch.also(key.get_secret_value())
    ground.variable("SECRECY_KEY", ground.watch.also(sb.EnvironmentKey.generate().get_secret_value()))
    made = [
        sb.Passphrase(CREDENTIAL),
        sb.Passphrase(lambda: CREDENTIAL).asked(),
        sb.AccountKey(key).asked(),
        sb.KeyFile(ground.folder / "vault.key"),
        sb.EnvironmentKey("SECRECY_KEY"),
        sb.KeyringKey("secretbridge", "nobody"),
        sb.ExternalKey(Outside()),
    ]
    for one in made:
        ground.watch.look(one, "a credential")
        for method in ("key", "encoded", "create"):
            if hasattr(one, method):
                ground.tried(getattr(one, method))
    for kind in (sb.Passphrase, sb.AccountKey, sb.EnvironmentKey, sb.KeyFile, sb.ExternalKey):
        for wrong in ([CREDENTIAL], CREDENTIAL.encode(), f"{CREDENTIAL}\n", telling_all):
            ground.tried(lambda k=kind, w=wrong: getattr(k(w), "asked", bool)())
    ground.tried(lambda: sb.KeyringKey([CREDENTIAL], ""))  # type: ignore[arg-type]  # the point
    for wrong in ({"connect": CREDENTIAL}, {"read": [VALUE]}):
        ground.tried(lambda w=wrong: sb.Timeout(**w))  # type: ignore[arg-type]  # the point
    ground.tried(lambda: sb.Retry(attempts=VALUE))  # type: ignore[arg-type]  # the point
    ground.tried(lambda: sb.AuditHead.parse(VALUE))
    ground.watch.look(sb.Timeout.of(3), "Timeout")
    ground.watch.look(sb.Secret(name="A", value=SecretStr(VALUE), expires_at=LATER).expired, "expired")


# One change in many places, and rotation.


def everywhere(ground: Ground, face: str) -> None:
    """Change everywhere, with one target that echoes everything; rotate, and go on with both."""
    ring = list(standins())
    kind = sb.SecretBridge if face == "blocking" else sb.AsyncSecretBridge
    stores = [ground.local(), sb.Dotenv(ground.folder / "plain.env")]
    for provider in stores:
        with sb.SecretBridge(provider) as bridge:
            bridge.create_secret("EXISTING", value=VALUE)
    journal = ground.folder / "journal"
    keeping = ground.local("keeping")

    def obtain() -> str:
        return VALUE

    async def main() -> None:
        change: Any = sb.update_everywhere if face == "blocking" else sb.update_everywhere_async
        go_on: Any = sb.resume_everywhere if face == "blocking" else sb.resume_everywhere_async
        forget: Any = sb.forget_change if face == "blocking" else sb.forget_change_async
        turn: Any = sb.rotate if face == "blocking" else sb.rotate_async
        turn_on: Any = sb.resume_rotation if face == "blocking" else sb.resume_rotation_async
        bridges: list[Any] = [
            kind(provider, retry=None, pace=None, transport=standin.transport())  # type: ignore[arg-type]  # both
            for standin, provider in ring[:3]
        ]
        common: dict[str, Any] = {"vault": keeping, "journal": journal}

        async def tried(call: Any, *positional: Any, **named: Any) -> None:
            ground.watch.sample()
            try:
                result = await _all_of(call(*positional, **named))
            except sb.SecretBridgeError as error:
                ground.watch.look(error, "one change in many places, caught")
                run = getattr(error, "run_id", None) or getattr(
                    getattr(error, "results", None), "run_id", None
                )
                runs.extend([run] if run else [])
            else:
                ground.watch.look(result, "one change in many places")
                if isinstance(result, sb.EverywhereResult):
                    ground.watch.look(json.dumps(result.to_json()), "its JSON")
                    ground.watch.look(
                        [*result, result.complete, result.left_out, result.unknown], "its parts"
                    )
                    ground.watch.look([result.not_applied, result.restored, result.updated], "its parts")
                    runs.extend([result.run_id] if getattr(result, "run_id", None) else [])

        runs: list[str] = []
        targets = [*bridges, *stores]
        await tried(change, "EXISTING", targets=targets, value=VALUE, dry_run=True)
        await tried(change, "EXISTING", targets=targets, value=VALUE, **common)
        ring[1][0].script(testing.Pass(), testing.Reply(400, ECHO), *[testing.Lost()] * 5)
        restoring = {"check": False, "on_failure": "restore"}
        await tried(change, "EXISTING", targets=targets, value=VALUE, **restoring, **common)
        await tried(change, "EXISTING", targets=targets, value=[VALUE], **common)
        ring[1][0].script(testing.Pass(), testing.Reply(400, ECHO))
        await tried(change, "EXISTING", targets=targets, value=f"{VALUE}2", **common)
        await tried(
            change,
            "EXISTING",
            targets=[*stores, bridges[0]],
            value=VALUE,
            description="text",
            leave_out_unfit=True,
        )
        for run in [*dict.fromkeys(runs), "none"]:
            await tried(go_on, run, targets=targets, **common)
        told = {"targets": stores, **common}
        await tried(turn, "EXISTING", obtain=obtain, dry_run=True, **told)
        await tried(turn, "EXISTING", obtain=obtain, revoke=lambda _: None, **told)
        del runs[:]
        await tried(turn, "EXISTING", obtain=telling_all, **told)
        await tried(turn, "EXISTING", obtain=lambda: f"{VALUE}3", revoke=telling_all, **told)
        await tried(turn, "EXISTING", obtain=["sh", "-c", "exit 3"], **told)
        for run in [*dict.fromkeys(runs), "none"]:
            await tried(turn_on, run, obtain=obtain, revoke=lambda _: None, **told)
            await tried(forget, run, **common)
        await tried(forget, "none", vault="none", journal=journal)
        ground.watch.look(sb.changes(journal=journal), "what was begun")
        for bridge in bridges:
            await _all_of(bridge.close())

    if face == "blocking":
        from secretbridge._runtime import finish

        finish(main())
    else:
        anyio.run(main, backend=face)


# Migrations.


def migrations(ground: Ground, face: str) -> None:
    """Plan, apply, resume, undo and sync; well, and with an echoing target and lost answers."""
    blocking = face == "blocking"
    kind: Any = sb.SecretBridge if blocking else sb.AsyncSecretBridge
    plan: Any = migrate.plan if blocking else migrate.plan_async
    resume: Any = migrate.resume if blocking else migrate.resume_async
    undo: Any = migrate.undo if blocking else migrate.undo_async
    sync: Any = migrate.sync if blocking else migrate.sync_async
    source, undoing = ground.local("source"), ground.local("undoing")
    with sb.SecretBridge(source) as bridge:
        for name in ("A", "B", "C"):
            bridge.create_secret(name, value=VALUE)
    standin = testing.InsForgeStandIn(api_key=CREDENTIAL)
    standin.seed("A", f"{VALUE}-before")
    journal = ground.folder / "runs"
    events: list[migrate.Event] = []

    async def main() -> None:
        target = kind(
            sb.InsForge(standin.base_url, api_key=CREDENTIAL),
            transport=standin.transport(),
            retry=None,
            pace=None,
        )
        common: dict[str, Any] = {"journal": journal, "vault": undoing, "progress": events.append}

        async def tried(call: Any, *positional: Any, **named: Any) -> Any:
            ground.watch.sample()
            try:
                result = await _all_of(call(*positional, **named))
            except sb.SecretBridgeError as error:
                ground.watch.look(error, "a migration, caught")
                ground.watch.look(getattr(error, "run", None), "its run")
                return None
            ground.watch.look(result, "a migration")
            return result

        made = await tried(plan, source, target, on_conflict="update", accept=["versions"], vault=undoing)
        _looked_at(ground, made, source, target)
        await tried(getattr(made, "moved" if blocking else "moved_async"))
        apply = getattr(made, "apply" if blocking else "apply_async")
        standin.script(
            *[testing.Pass()] * 3, testing.Reply(400, ECHO), testing.Lost(), testing.Reply(500, ECHO)
        )
        await tried(apply, patience=0, **common)
        runs = migrate.runs(journal=journal)
        for info in [*runs, None]:
            name = "none" if info is None else info.id
            standin.script(testing.Reply(401, ECHO))
            await tried(resume, name, source, target, patience=0, **common)
            await tried(resume, name, source, target, patience=0, check=False, **common)
            standin.script(testing.Reply(400, ECHO))
            await tried(undo, name, target, **common)
            run = await tried(undo, name, target, check=False, **common)
            if run is not None:
                ground.watch.look([run.counts, run.open, run.to_json(), *run.outcomes], "a run's parts")
                _reported(ground, run.report())
        ground.watch.look(migrate.report(journal=journal), "the report of the last run")
        for other in (ground.local("other"), sb.JsonFile(ground.folder / "plain.json")):
            moved = await tried(plan, source, other, accept=["versions"])
            await tried(getattr(moved, "apply" if blocking else "apply_async"), **common)
        for file in (sb.JsonFile(ground.folder / "plain.json"), sb.Dotenv(ground.folder / "plain.env")):
            await tried(plan, file, sb.Dotenv(ground.folder / "target.env"))
            with sb.SecretBridge(file) as bridge:
                ground.watch.sample()
                bridge.put_secret("D", value=VALUE)
            await tried(plan, file, sb.Dotenv(ground.folder / "target.env"))
        await tried(plan, source, target, select=["A"], rename={"A": 5}, case=[5])
        await tried(plan, source, target, transform=telling_all, on_conflict="update")
        into = sb.Dotenv(ground.folder / "target.env")
        shared = {"accept": ["versions"], "journal": ground.folder / "syncs", "vault": undoing}
        await tried(sync, source, into, **shared)
        with sb.SecretBridge(source) as bridge:
            bridge.delete_secret("C")
        less = await tried(plan, source, into, accept=["versions"], on_conflict="skip", vault=undoing)
        left = await tried(
            getattr(less, "orphans" if blocking else "orphans_async"), journal=shared["journal"]
        )
        ground.watch.look([*left], "what a sync would delete")
        standin.script(testing.Reply(403, ECHO))
        await tried(sync, source, target, **shared)
        await _all_of(target.close())

    if blocking:
        from secretbridge._runtime import finish

        finish(main())
    else:
        anyio.run(main, backend=face)
    ground.watch.look(events, "events of a migration")
    ground.watch.look(migrate.Loss(kind="versions", text="their past stays behind"), "a loss")
    ground.watch.look(migrate.LossTotal(kind="versions", meaning="their past stays", secrets=2), "losses")
    ground.tried(lambda: migrate.runs(journal=ground.folder / "vault.key" / "x"))
    ground.tried(lambda: migrate.Rules.of({"select": 5, "case": "wrong", "none": VALUE}))
    rules = migrate.Rules.of({"rename": {"A": "B"}}, transform={"A": Outside.unwrap})
    ground.watch.look([rules, rules.document(), dict(rules.table), dict(rules.transforms)], "rules")


def _reported(ground: Ground, report: migrate.Report) -> None:
    ground.watch.look([report.to_json(), report.to_markdown(), report.to_html()], "a report")
    ground.watch.look([report.document(), report.losses, report.next, report.open], "its parts")
    ground.watch.look([report.totals, *[report.is_open(one) for one in report.run.outcomes]], "its parts")


def _looked_at(ground: Ground, plan: Any, source: Any, target: Any) -> None:
    out = io.StringIO()
    plan.print(out)
    text = plan.to_json()
    parts = [out.getvalue(), text, plan.fingerprint(), dict(plan.counts), plan.refused, plan.steps, plan.ends]
    ground.watch.look(
        [*parts, plan.source, plan.target, plan.estimates, list(plan.warnings)], "a plan's parts"
    )
    for step in plan.steps:
        ground.watch.look([step, *step.losses], "a step")
        ground.watch.look([step.source_mark, step.source_mark.differences(step.source_mark)], "a mark")
    ground.tried(lambda: migrate.Plan.from_json(text, source, target))
    ground.tried(lambda: migrate.Plan.from_json(text.replace("A", VALUE), source, target))
    for attempt in (copy.copy, copy.deepcopy):
        with contextlib.suppress(TypeError):
            attempt(plan)


# Named connections, and what users test with.


def connections(ground: Ground, face: str) -> None:
    """Connect by name, with credentials that are there, absent or malformed."""
    file = ground.folder / "secretbridge.toml"
    (ground.folder / "marked.key").write_text(f"{CREDENTIAL}\n")
    (ground.folder / "marked.key").chmod(0o600)
    file.write_text(
        f'[connections.vault]\nprovider = "local"\nlocation = "{ground.folder / "vault.db"}"\n'
        f'key_file = "{ground.folder / "vault.key"}"\n'
        '[connections.prod]\nprovider = "insforge"\nbase_url = "https://x.insforge.app"\n'
        'api_key = "file:marked.key"\n'
        '[connections.bad]\nprovider = "insforge"\nbase_url = "https://x.insforge.app"\n'
        'api_key = "file:absent.key"\n'
    )
    file.chmod(0o600)
    ground.watch.look(sb.connection_names(file), "names")
    for name in ("vault", "prod", "none"):
        ground.tried(lambda n=name: sb.secret_names(n, config=file))
    ground.watch.look(sb.connections(file), "connections")
    blocking = face == "blocking"
    connect: Any = sb.connect if blocking else sb.connect_async
    vault: Any = sb.connect_vault if blocking else sb.connect_vault_async
    for name in ("vault", "prod", "bad", "none"):
        on_it = ground.tried(lambda n=name: connect(n, config=file))
        if on_it is not None and name == "vault":
            on(face, lambda o=on_it: o, [("put_secret", ("A",), {"value": VALUE})], ground)
        ground.tried(lambda n=name: vault(n, config=file))
    file.write_text(f'[connections.prod]\nprovider = "insforge"\napi_key = "{CREDENTIAL}"\nx = "{VALUE}"\n')
    for call in (sb.connections, sb.connection_names):
        ground.tried(lambda c=call: c(file))
    ground.tried(lambda: sb.secret_names("prod", config=file))
    for call in (connect, vault):
        ground.tried(lambda c=call: c("prod", config=file))
    file.unlink()


SCENARIOS: dict[str, Callable[[Ground, str], None]] = {
    "verbs over http": verbs_over_http,
    "verbs over sockets": verbs_over_sockets,
    "verbs over files": verbs_over_files,
    "verbs over damage": verbs_over_damage,
    "administration": administering,
    "credentials": credentials,
    "one change in many places": everywhere,
    "migrations": migrations,
    "connections": connections,
}
