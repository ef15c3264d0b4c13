"""The table of docs/adapter-mutations.md: every adapter that is broken on purpose, and what catches it."""

from __future__ import annotations

import contract_mutations  # each enters its adapters
import contract_mutations_stores
from contract_mutation import MUTATIONS

__all__ = ["BY_RECORDING", "MUTATIONS", "table"]

AS_RECORDED = "test_each_call_sends_just_what_was_recorded_and_takes_the_answer"
REFUSED = "test_each_refusal_is_its_own_error_and_says_whether_the_change_was_made"
#: Of Larder's broken adapters, those that recorded replies alone find out by the same test as a store does.
_BY_THE_SAME = (
    "LacksSilently",
    "OtherCapabilities",
    "WritesOnRead",
    "MissingIsRejected",
    "SureOfFailure",
    "NeverSure",
    "OneErrorForAll",
    "ReadsNoCodes",
    "LostIsDone",
    "LostIsNothing",
    "UnsentIsUnknown",
    "FollowsRedirects",
    "AnythingGoes",
    "RepeatsPost",
    "ForgetsTheFirstTry",
    "HeaderTwice",
    "ShowsWords",
    "PatchesWords",
    "KeepsTheRequest",
    "LeaksOnTaken",
    "LogsTheValue",
    "LogsTheKey",
    "ShowsItsKey",
    "BlocksTheLoop",
    "Sleeps",
    "WaitsByItself",
    "ImpatientRepeats",
    "SwallowsCancellation",
)
#: And those that they find out by another one.
_BY_WHAT_WAS_SENT = (
    "DropsAField",
    "NullForUnset",
    "DefaultForUnset",
    "OneOfSeveral",
    "NoneForUnset",
    "ClearsTheUnchanged",
    "CreatesWithoutExpiry",
    "PutUpdates",
    "NoCreate",
    "FirstPageOnly",
    "ListsValues",
    "TellsNoNote",
    "TellsDays",
    "TakesTheLast",
    "TakenIsConflict",
    "Overwrites",
    "MixesCalls",
)
BY_RECORDING = {
    **{str(one): one.test for one in MUTATIONS if str(one) in _BY_THE_SAME},
    **dict.fromkeys(_BY_WHAT_WAS_SENT, AS_RECORDED),
    **dict.fromkeys(("IgnoresNotFound", "MakesTheMissing"), REFUSED),
}


def table() -> str:
    """Write it; the last column is what catches the adapter where only recorded replies are there."""
    both = [contract_mutations.__name__, contract_mutations_stores.__name__]
    lines = ["| an adapter that … | is caught by | with a recording alone |", "|---|---|---|"]
    for one in sorted(MUTATIONS, key=lambda one: both.index(one.kind.__module__)):
        alone = one.test if one.settings.get("recording") else BY_RECORDING.get(str(one), "—")
        where = "the same" if alone == one.test else f"`{alone}`" if alone != "—" else alone
        lines.append(f"| {one.broken} | `{one.test}` | {where} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201 - made anew by hand where a test says so
