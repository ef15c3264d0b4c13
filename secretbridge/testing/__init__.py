"""For tests of your own: stand-ins of the four services, and a runtime that answers from a script.

Install with the extra ``secretbridge[testing]``.
"""

from secretbridge.testing._appfarm import AppfarmStandIn
from secretbridge.testing._insforge import InsForgeStandIn
from secretbridge.testing._ionet import IoNetStandIn
from secretbridge.testing._scripted import ScriptedRuntime, Sent, answer
from secretbridge.testing._standin import (
    Lost,
    Pass,
    RecordedRequest,
    Refused,
    Reply,
    StandIn,
    StandInReply,
)
from secretbridge.testing._wix import WixStandIn

__all__ = [
    "AppfarmStandIn",
    "InsForgeStandIn",
    "IoNetStandIn",
    "Lost",
    "Pass",
    "RecordedRequest",
    "Refused",
    "Reply",
    "ScriptedRuntime",
    "Sent",
    "StandIn",
    "StandInReply",
    "WixStandIn",
    "answer",
]
