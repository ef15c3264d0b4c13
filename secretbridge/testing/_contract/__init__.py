"""The contract that every provider keeps, as a test class to inherit."""

from __future__ import annotations

import pytest

from secretbridge.testing._contract._failing import FailingTests
from secretbridge.testing._contract._naming import NamingTests
from secretbridge.testing._contract._place import FACES
from secretbridge.testing._contract._quiet import QuietTests
from secretbridge.testing._contract._recorded import RecordedTests
from secretbridge.testing._contract._subject import Subject
from secretbridge.testing._contract._verbs import VerbTests

__all__ = ["ProviderContract", "Subject"]


@pytest.mark.parametrize("face", FACES)
class ProviderContract(VerbTests, NamingTests, FailingTests, QuietTests, RecordedTests):
    """Everything that an adapter promises, on the blocking face, on asyncio and on trio.

    A test module inherits it under a name that pytest collects, says what the provider can do and how a new
    one is made, and has the whole suite. A test that says nothing about the provider (of clearing where
    nothing can be cleared) is not collected. Every failure says what an adapter's author should look at.

    Attributes:
        capabilities: the provider's. To be set.
        uses_http: False for a store without HTTP; requests and replies are then not tested.
        statuses: HTTP status -> the error that it means at this store, or several that it may; for what
            differs from the usual.
        refusals: recorded replies of the store with the error that each means; ``{"locked": (Reply(423,
            json=…), SecretProtected)}``. Each is given to every operation that changes something.
        recording: what was recorded of the store, in place of one that keeps state. What needs such a store
            is then not collected; ``left_out`` tells it.
        not_recorded: call that is not recorded -> why not.
        left_out: what is left out because there is only a recording -> why. Not to be set; pytest prints it.
        unread: operations of whose success the store's documents say nothing; its body is not read.
        missing: the error for a secret that is not there, where the store does not say so clearly.
        unique_names: False where several secrets may have one name.
        deletes_softly: whether a deleted secret stays there, inactive, and can be deleted again.
        samples: field -> two different values that the store takes, where the usual ones do not do.
        names: three names that the store takes.
        marked_value: a value of 27 characters that is looked for everywhere.
        nasty_names: names to try beside these; those that the capabilities refuse must be refused.
        nasty_texts: values to try.
        tmp_path: a folder of the test's own, as the fixture of this name.
    """
