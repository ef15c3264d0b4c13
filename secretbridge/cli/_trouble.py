"""An error in words: one sentence what, one why, one what to do; and its exit code."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from secretbridge.cli._output import show_json_error, talk
from secretbridge.cli._session import Code, Doing, Session, Stop

if TYPE_CHECKING:
    from secretbridge.errors import SecretBridgeError, Violation

__all__ = ["Trouble", "in_a_line", "in_words", "of_error", "of_interrupt", "of_stop", "of_surprise", "tell"]

#: What the library calls by its Python name, and what it is called here.
_WORDS: Final = (
    (r"^name: no connection has this name\b", "No connection has this name"),
    (r"^name: is a connection to", "It is a connection to"),
    (r"^targets \(", "--to ("),
    (r"^slot: there is none (?=\S)", "There is no slot "),
    (r"\bList the secrets to see what is there", "secretbridge list CONNECTION shows what is there"),
    (r"\baudit_head\(\) gave, or its str\(\)", "secretbridge vault anchor gave"),
    (r"[Uu]se update_secret\(\) to change it or put_secret\(\) to replace it",
     "Use secretbridge update to change it or secretbridge put to replace it"),
    (r"with update_secret\(protected=False\), and nothing else in that call", "with secretbridge unlock"),
    (r"update_secret\(active=True\)", "secretbridge update NAME --active"),
    (r"update_secret\(expires_at=\.\.\.\), or clear the expiry with None",
     "secretbridge update NAME --expires-at 90d, or --clear expires-at"),
    (r"\bsay allow_one_way=True", "say --allow-one-way"),
    (r"\boverwrite=True\b", "--overwrite"),
    (r"\bmissing_ok=True\b", "--missing-ok"),
    (r"\bby id=", "by --id"),
    (r"\bif_version=", "--if-version "),
    (r"\b(get|update|create|put|delete)_secret\b(?:\(\))?", r"secretbridge \1"),
    (r"\blist_secrets\(\)", "secretbridge list CONNECTION"),
    (r"\b(history|restore|undelete)\(\)", r"secretbridge \1"),
    (r"\baudit_head\(\)", "secretbridge vault anchor"),
    (r"\bskip_refused=True\b", "--skip-refused"),
    (r"migrate\.runs\(\) shows the runs; journal= says where they are", "secretbridge runs shows the runs"),
    (r"\bmigrate\.(resume|undo)\('([^']*)', …\)", r"secretbridge \1 \2"),
    (r"\bmigrate\.runs\(\)", "secretbridge runs"),
    (r"\bjournal= says", "--journal says"),
    (r"\bresume_(?:everywhere|rotation)\('([^']*)'(?:, …)?\)", r"secretbridge resume \1"),
    (r"\bconsent with accept_unverifiable=True", "consent by --accept-unverifiable"),
    (r'\bon_conflict="update" or "skip"', "--on-conflict update or --on-conflict skip"),
    (r'\bon_conflict="(\w+)"', r"--on-conflict \1"),
    (r"\bundo\(…, (accept=\[[^\]]*\])\)", r"secretbridge undo with \1"),
    (r"\bvalues_from=", "--values-from"),
    (r"\bLeave vault= out, if that is so\b", "Leave --vault out, if that is so"),
    (r"\bGive vault= as\b", "Give --vault as"),
    (r"\bno vault= (keeps|was)\b", r"no vault \1"),
    (r"\bundo\(\)", "secretbridge undo"),
    (r": NotApplied\b", ": not applied"),
    (r": Unknown\b", ": unknown"),
    (r": NotRestored\b", ": not restored"),
)  # fmt: skip
_FIELDS: Final = {
    "new_name": "--rename",
    "description": "--description",
    "active": "--active",
    "protected": "--protected",
    "expires_at": "--expires-at",
    "tool_name": "--tool-name",
    "tool_arg": "--tool-arg",
    "default_for_tool": "--default-for-tool",
    "if_version": "--if-version",
    **{
        rule: f"--{rule.replace('_', '-')}"
        for rule in ("accept", "anchor", "case", "exclude", "prefix", "rename", "rules", "select")
    },
    "on_conflict": "--on-conflict",
    "run_id": "RUN",
    "journal": "--journal",
    "values_from": "--values-from",
    "obtain": "--obtain",
    "revoke": "--revoke",
    "revoke_variable": "--revoke-variable",
    "time_limit": "--time-limit",
    "vault": "--vault",
    "id": "--id",
}


_ACCEPT: Final = re.compile(r"\baccept=\[[^\]]*\]")
_WORD: Final = re.compile('"([a-z_]+)"')
#: What a rule or a plan refuses: by their names, for the classes load late.
_POLICY: Final = (
    "SecretProtected", "GrantMissing", "OutOfScope", "NotEnvironmentSpecific", "PlanRefused", "PlanStale",
)  # fmt: skip
_NOTHING_APPLIED: Final = frozenset({Code.FAILED, Code.USAGE, Code.REFUSED})


class Trouble(NamedTuple):
    """What went wrong.

    Attributes:
        code: the exit code.
        what: one sentence.
        why: one sentence or several, each a line.
        do: what to do, or "".
        cause: for ``--verbose``: classes, codes, ids; never a value.
        facts: the same for ``--json``.
    """

    code: Code
    what: str
    why: tuple[str, ...] = ()
    do: str = ""
    cause: str = ""
    facts: dict[str, Any] | None = None


def by_policy(error: SecretBridgeError) -> bool:
    """Say whether a rule or a plan refused it, and no store or request was at fault."""
    from secretbridge import errors

    return isinstance(error, tuple(getattr(errors, one) for one in _POLICY))


def of_error(session: Session, error: SecretBridgeError) -> Trouble:
    """Put an error of the library into words."""
    from secretbridge.errors import InvalidRequest

    doing = session.doing or Doing("do that")
    violations: tuple[Violation, ...] = getattr(error, "violations", ())
    if isinstance(error, InvalidRequest):
        code, ending = Code.USAGE, f"; {doing.nothing}" if doing.changes else ""
    elif by_policy(error) and error.applied is False:
        code, ending = Code.REFUSED, "; nothing was changed" if doing.changes else ""
    elif not doing.changes:
        code, ending = Code.FAILED, ""
    elif error.applied is None:
        code, ending = Code.UNKNOWN, "; whether it was done is not known"
    elif error.applied:
        code, ending = Code.PARTLY, "; it was done, and what came after it failed"
    else:
        code, ending = Code.FAILED, "; nothing was changed"
    if session.done and code in _NOTHING_APPLIED:
        code = Code.PARTLY
    remedy = ""
    if violations and isinstance(error, InvalidRequest):
        remedies = {one.remedy for one in violations}
        if len(remedies) == 1 and not error.advice:
            remedy, violations = remedies.pop(), tuple(one._replace(remedy="") for one in violations)
        elif not error.advice:
            remedy = "what stands in brackets in each line"
        why = tuple(_of_violation(one) for one in violations)
    else:
        why = (in_words(error.message),) if error.message else ()
    do = in_words(error.advice) or _sentence(in_words(remedy))
    do = do or (doing.look if error.applied is None and doing.changes else "")
    return Trouble(
        code,
        f"Could not {doing.what}{ending}.",
        (*why, *_before(session)),
        do or ("Try again later." if error.transient else ""),
        _cause(error),
        {
            "type": type(error).__name__,
            "applied": error.applied,
            "transient": error.transient,
            "retry_after": error.retry_after,
        },
    )


def of_stop(session: Session, stop: Stop) -> Trouble:
    """Put a foreseen end into words."""
    code = Code.PARTLY if session.done and stop.code in _NOTHING_APPLIED else stop.code
    return Trouble(code, stop.what, (*((stop.why,) if stop.why else ()), *_before(session)), stop.do)


def _before(session: Session) -> tuple[str, ...]:
    return tuple(f"Before that, it {sentence}." for sentence in session.done)


def of_interrupt(session: Session) -> Trouble:
    """Say what is known when Ctrl-C was pressed."""
    doing = session.doing
    what = "Interrupted; nothing was changed."
    if session.done:
        what = "Interrupted after a part was done."
    if doing is not None and doing.changes:
        what = f"Interrupted while trying to {doing.what}; whether it was done is not known."
    do = doing.look if doing is not None and doing.changes else ""
    so_far = (doing.so_far,) if doing is not None and doing.so_far else ()
    return Trouble(Code.INTERRUPTED, what, (*so_far, *_before(session)), do, facts={"type": "Interrupted"})


def of_surprise(session: Session, error: Exception) -> Trouble:
    """Put what nobody foresaw into words: its class and where, never its text, which may hold a value."""
    at, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        at = f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} in {code.co_name}"
        trace = trace.tb_next
    doing = session.doing
    unknown = doing is not None and doing.changes
    what = f"Could not {doing.what}" if doing is not None else "This failed in a way that was not foreseen"
    why = f"An error of the class {type(error).__name__} came up, which is a fault of secretbridge."
    do = "Report it with what --verbose shows; no value is in it."
    if isinstance(error, ModuleNotFoundError):
        why = f"The library {error.name} is not installed."
        do = "Install secretbridge anew: pip install 'secretbridge[cli]'"
    return Trouble(
        Code.UNKNOWN if unknown else Code.PARTLY if session.done else Code.FAILED,
        what + ("; whether it was done is not known." if unknown else "."),
        (why,),
        do,
        f"{type(error).__name__} at {at}",
        {"type": type(error).__name__},
    )


def tell(session: Session, trouble: Trouble) -> Code:
    """Print it to standard error; give its exit code."""
    if session.json:
        facts: dict[str, Any] = {"type": "Stopped", "applied": None, "transient": False, "retry_after": None}
        facts |= trouble.facts or {}
        if trouble.facts is None and trouble.code in _NOTHING_APPLIED:
            facts["applied"] = False
        elif trouble.facts is None and trouble.code is Code.PARTLY:
            facts["applied"] = True  # in part
        facts |= {"what": trouble.what, "why": list(trouble.why), "do": trouble.do}
        facts |= {"exit_code": int(trouble.code), "cause": trouble.cause if session.verbose else None}
        show_json_error({"error": facts})
        return trouble.code
    if trouble.code is Code.INTERRUPTED and not session.stopping and sys.stderr.isatty():
        talk("")  # the terminal has left the cursor behind a question, or behind ^C
    talk(f"Error: {trouble.what}")
    for line in trouble.why:
        talk(f"Why: {line}")
    if trouble.do:
        talk(f"Do: {trouble.do}")
    if session.verbose and trouble.cause:
        talk(f"Cause: {trouble.cause}")
    return trouble.code


def in_a_line(trouble: Trouble) -> str:
    """Say why and what to do in one line, for a table."""
    why = " ".join(trouble.why)
    return f"{why.rstrip('.')}. {trouble.do}" if trouble.do else why


def in_words(text: str) -> str:
    """Call what the library calls by its Python name by what it is called here."""
    for pattern, words in _WORDS:
        text = re.sub(pattern, words, text)
    return _ACCEPT.sub(lambda found: " ".join(f"--accept {word}" for word in _WORD.findall(found[0])), text)


def _sentence(remedy: str) -> str:
    """Make a sentence of a remedy, which stands in brackets where there are several."""
    remedy = remedy.replace("? known", "? Known")
    whole = remedy if not remedy or remedy.endswith((".", "?")) else f"{remedy}."
    return whole if whole.startswith("secretbridge ") else whole[:1].upper() + whole[1:]


def _of_violation(one: Violation) -> str:
    store, colon, field = one.field.rpartition(": ")  # of several stores it says which
    return in_words(str(one._replace(field=f"{store}{colon}{_FIELDS.get(field, field)}")))


def _cause(error: SecretBridgeError) -> str:
    told = [f"{type(error).__name__}", f"applied: {error.applied}", f"transient: {error.transient}"]
    for attribute in ("provider", "operation", "status", "code", "request_id", "retry_after"):
        found = getattr(error, attribute, None)
        if found not in {None, ""}:
            told.append(f"{attribute}: {found}")
    return ", ".join(told)
