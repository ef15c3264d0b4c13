"""What an adapter in a package of its own is written with; docs/adapter-guide.md leads through it.

``Provider`` is the protocol that an adapter keeps. ``HttpProvider`` is a base for stores behind HTTP: it
sends with ``_ask``, reads successes with ``_parse`` and ``_parse_object``, and judges refusals by their
status, unless the adapter's ``_fault`` reads more from their bodies. The rest is what these speak of.
"""

from secretbridge._capabilities import Capabilities, Limit
from secretbridge._channel import Channel
from secretbridge._exchange import Auth, Judge, Reply, Request
from secretbridge._models import Fields, Operation, Secret, Target
from secretbridge._provider import Page, Provider
from secretbridge.providers._address import base_address, quoted
from secretbridge.providers._credential import Credential, HeaderAuth
from secretbridge.providers._http import Answer, HttpProvider, Moment, read_json, to_json
from secretbridge.providers._refusal import Fault, retry_after

__all__ = [
    "Answer",
    "Auth",
    "Capabilities",
    "Channel",
    "Credential",
    "Fault",
    "Fields",
    "HeaderAuth",
    "HttpProvider",
    "Judge",
    "Limit",
    "Moment",
    "Operation",
    "Page",
    "Provider",
    "Reply",
    "Request",
    "Secret",
    "Target",
    "base_address",
    "quoted",
    "read_json",
    "retry_after",
    "to_json",
]
