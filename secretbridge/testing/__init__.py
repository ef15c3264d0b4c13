"""For tests of your own: stand-ins of the four services, and a runtime that answers from a script.

Install with the extra ``secretbridge[testing]``.
"""

from secretbridge.testing._appfarm import AppfarmSecret, AppfarmStandIn
from secretbridge.testing._fault_server import FaultServer
from secretbridge.testing._insforge import InsForgeStandIn
from secretbridge.testing._insforge_row import InsForgeSecret
from secretbridge.testing._ionet import IoNetSecret, IoNetStandIn
from secretbridge.testing._scripted import ScriptedRuntime, Sent, answer
from secretbridge.testing._standin import (
    Fault,
    Lost,
    Pass,
    RecordedRequest,
    Refused,
    Reply,
    StandIn,
    StandInOptions,
    StandInReply,
)
from secretbridge.testing._wire_fault import WIRE_FAULTS, WireFault
from secretbridge.testing._wix import WixSecret, WixStandIn

__all__ = [
    "WIRE_FAULTS",
    "AppfarmSecret",
    "AppfarmStandIn",
    "Fault",
    "FaultServer",
    "InsForgeSecret",
    "InsForgeStandIn",
    "IoNetSecret",
    "IoNetStandIn",
    "Lost",
    "Pass",
    "RecordedRequest",
    "Refused",
    "Reply",
    "ScriptedRuntime",
    "Sent",
    "StandIn",
    "StandInOptions",
    "StandInReply",
    "WireFault",
    "WixSecret",
    "WixStandIn",
    "answer",
]
