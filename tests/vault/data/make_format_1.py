"""Makes format-1.db and format-1.key, with the code of a version that wrote the first format of the file.

Run it with a checkout of that version (any commit before ``FILE_FORMAT`` came into ``_vault/_schema.py``):

    PYTHONPATH=path/to/that/checkout python make_format_1.py FOLDER
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from secretbridge import Local, SecretBridge

folder = Path(sys.argv[1])
file, key = folder / "format-1.db", folder / "format-1.key"
with SecretBridge(Local(file, "development", key_file=key)) as bridge:
    bridge.create_secret("STRIPE_KEY", value="sk_live_first", description="payments")
    bridge.update_secret("STRIPE_KEY", value="sk_live_second")
    bridge.create_secret("OLD_NAME", value="renamed")
    bridge.update_secret("OLD_NAME", new_name="NEW_NAME")
    bridge.create_secret("EXPIRED", value="e", expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    bridge.create_secret("GONE", value="g")
    bridge.delete_secret("GONE")
with SecretBridge(Local(file, "production", key_file=key)) as bridge:
    bridge.create_secret("STRIPE_KEY", value="sk_live_production", protected=True)
