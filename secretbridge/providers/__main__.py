"""Print what the five adapters of this package can do, as the table of docs/providers.md."""

from __future__ import annotations

import sys

from secretbridge._capabilities import table
from secretbridge.providers.appfarm import Appfarm
from secretbridge.providers.insforge import InsForge
from secretbridge.providers.ionet import IoNet
from secretbridge.providers.local import Local
from secretbridge.providers.wix import Wix

sys.stdout.write(table(*(kind.capabilities for kind in (Local, IoNet, Wix, InsForge, Appfarm))))
