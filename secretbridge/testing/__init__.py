"""For tests of your own: stand-ins of the four services, a scripted runtime, the providers' contract.

Install with the extra ``secretbridge[testing]``. Names load on first use: pytest loads this package for every
test run, because of its plugin.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secretbridge.testing._appfarm import AppfarmSecret, AppfarmStandIn
    from secretbridge.testing._contract import ProviderContract, Subject
    from secretbridge.testing._exchange import json_reply
    from secretbridge.testing._fault_server import FaultServer
    from secretbridge.testing._insforge import InsForgeStandIn
    from secretbridge.testing._insforge_row import InsForgeSecret
    from secretbridge.testing._ionet import IoNetSecret, IoNetStandIn
    from secretbridge.testing._recording import Exchange, Recording
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
    "Exchange",
    "Fault",
    "FaultServer",
    "InsForgeSecret",
    "InsForgeStandIn",
    "IoNetSecret",
    "IoNetStandIn",
    "Lost",
    "Pass",
    "ProviderContract",
    "RecordedRequest",
    "Recording",
    "Refused",
    "Reply",
    "ScriptedRuntime",
    "Sent",
    "StandIn",
    "StandInOptions",
    "StandInReply",
    "Subject",
    "WireFault",
    "WixSecret",
    "WixStandIn",
    "answer",
    "json_reply",
]

#: Where each public name lives, below this package; the others are in _standin.
_PLACES = {
    "WIRE_FAULTS": "_wire_fault",
    "AppfarmSecret": "_appfarm",
    "AppfarmStandIn": "_appfarm",
    "Exchange": "_recording",
    "FaultServer": "_fault_server",
    "InsForgeSecret": "_insforge_row",
    "InsForgeStandIn": "_insforge",
    "IoNetSecret": "_ionet",
    "IoNetStandIn": "_ionet",
    "ProviderContract": "_contract",
    "Recording": "_recording",
    "ScriptedRuntime": "_scripted",
    "Sent": "_scripted",
    "Subject": "_contract",
    "WireFault": "_wire_fault",
    "WixSecret": "_wix",
    "WixStandIn": "_wix",
    "answer": "_scripted",
    "json_reply": "_exchange",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PLACES.get(name, '_standin')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
