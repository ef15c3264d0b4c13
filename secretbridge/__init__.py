"""One update_secret() over io.net, Wix, InsForge, Appfarm and an embedded encrypted vault.

Names load on first use, so that importing the package is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secretbridge import errors, migrate
    from secretbridge._admin import (
        Vault,
    )
    from secretbridge._admin_async import (
        AsyncVault,
    )
    from secretbridge._async import (
        AsyncSecretBridge,
    )
    from secretbridge._capabilities import (
        Capabilities,
        Limit,
    )
    from secretbridge._config import (
        Connection,
        connect,
        connect_async,
        connect_vault,
        connect_vault_async,
        connection_names,
        connections,
        secret_names,
    )
    from secretbridge._credentials import (
        AccountKey,
        EnvironmentKey,
        ExternalKey,
        KeyFile,
        KeyringKey,
        KeyWrapper,
        Passphrase,
    )
    from secretbridge._everywhere import (
        resume_everywhere,
        resume_everywhere_async,
        update_everywhere,
        update_everywhere_async,
    )
    from secretbridge._everywhere_forget import forget_change, forget_change_async
    from secretbridge._everywhere_list import (
        ChangeInfo,
        changes,
    )
    from secretbridge._everywhere_results import (
        EverywhereResult,
        LeftOut,
        NotApplied,
        Restored,
        Unknown,
        Updated,
        WouldUpdate,
    )
    from secretbridge._models import (
        Retry,
        Secret,
        Timeout,
    )
    from secretbridge._once import (
        update_secret,
    )
    from secretbridge._rotate import (
        resume_rotation,
        resume_rotation_async,
        rotate,
        rotate_async,
    )
    from secretbridge._rotate_run import (
        Rotation,
    )
    from secretbridge._sync import (
        SecretBridge,
    )
    from secretbridge._trail import (
        AuditEntry,
        AuditHead,
        PrincipalInfo,
        SecretInfo,
        SlotInfo,
        Verified,
        VersionInfo,
    )
    from secretbridge._unset import (
        UNSET,
        Unset,
    )
    from secretbridge._version import (
        __version__,
    )
    from secretbridge.errors import (
        AccountExpired,
        AmbiguousSecret,
        AuthenticationError,
        Conflict,
        GrantMissing,
        InvalidRequest,
        JournalFailed,
        JournalMismatch,
        MigrationError,
        MigrationIncomplete,
        NoReply,
        NotEnvironmentSpecific,
        NotSent,
        OutOfScope,
        PartialUpdate,
        PermissionDenied,
        PlanRefused,
        PlanStale,
        ProviderError,
        ProviderUnavailable,
        QuotaExceeded,
        RateLimited,
        Rejected,
        RotationIncomplete,
        RunBusy,
        SecretBridgeError,
        SecretExists,
        SecretExpired,
        SecretLocked,
        SecretNotFound,
        SecretProtected,
        TransportError,
        UnexpectedReply,
        UnsupportedField,
        UnsupportedOperation,
        Unverified,
        ValueNotTold,
        VaultBusy,
        VaultDamaged,
        VaultError,
        VaultFull,
        VaultLocked,
        VaultReadOnly,
        Violation,
        WrongAddress,
    )
    from secretbridge.providers.appfarm import (
        Appfarm,
    )
    from secretbridge.providers.dotenv import (
        Dotenv,
    )
    from secretbridge.providers.environ import (
        Environment,
    )
    from secretbridge.providers.insforge import (
        InsForge,
    )
    from secretbridge.providers.ionet import (
        IoNet,
    )
    from secretbridge.providers.jsonfile import (
        JsonFile,
    )
    from secretbridge.providers.local import (
        Local,
    )
    from secretbridge.providers.wix import (
        Wix,
    )

__all__ = [
    "UNSET",
    "AccountExpired",
    "AccountKey",
    "AmbiguousSecret",
    "Appfarm",
    "AsyncSecretBridge",
    "AsyncVault",
    "AuditEntry",
    "AuditHead",
    "AuthenticationError",
    "Capabilities",
    "ChangeInfo",
    "Conflict",
    "Connection",
    "Dotenv",
    "Environment",
    "EnvironmentKey",
    "EverywhereResult",
    "ExternalKey",
    "GrantMissing",
    "InsForge",
    "InvalidRequest",
    "IoNet",
    "JournalFailed",
    "JournalMismatch",
    "JsonFile",
    "KeyFile",
    "KeyWrapper",
    "KeyringKey",
    "LeftOut",
    "Limit",
    "Local",
    "MigrationError",
    "MigrationIncomplete",
    "NoReply",
    "NotApplied",
    "NotEnvironmentSpecific",
    "NotSent",
    "OutOfScope",
    "PartialUpdate",
    "Passphrase",
    "PermissionDenied",
    "PlanRefused",
    "PlanStale",
    "PrincipalInfo",
    "ProviderError",
    "ProviderUnavailable",
    "QuotaExceeded",
    "RateLimited",
    "Rejected",
    "Restored",
    "Retry",
    "Rotation",
    "RotationIncomplete",
    "RunBusy",
    "Secret",
    "SecretBridge",
    "SecretBridgeError",
    "SecretExists",
    "SecretExpired",
    "SecretInfo",
    "SecretLocked",
    "SecretNotFound",
    "SecretProtected",
    "SlotInfo",
    "Timeout",
    "TransportError",
    "UnexpectedReply",
    "Unknown",
    "Unset",
    "UnsupportedField",
    "UnsupportedOperation",
    "Unverified",
    "Updated",
    "ValueNotTold",
    "Vault",
    "VaultBusy",
    "VaultDamaged",
    "VaultError",
    "VaultFull",
    "VaultLocked",
    "VaultReadOnly",
    "Verified",
    "VersionInfo",
    "Violation",
    "Wix",
    "WouldUpdate",
    "WrongAddress",
    "__version__",
    "changes",
    "connect",
    "connect_async",
    "connect_vault",
    "connect_vault_async",
    "connection_names",
    "connections",
    "errors",
    "forget_change",
    "forget_change_async",
    "migrate",
    "resume_everywhere",
    "resume_everywhere_async",
    "resume_rotation",
    "resume_rotation_async",
    "rotate",
    "rotate_async",
    "secret_names",
    "update_everywhere",
    "update_everywhere_async",
    "update_secret",
]

#: Where each public name lives, below this package.
_PLACES = {
    "Dotenv": "providers.dotenv",
    "JsonFile": "providers.jsonfile",
    "Environment": "providers.environ",
    "connect": "_config",
    "connect_async": "_config",
    "connect_vault": "_config",
    "connect_vault_async": "_config",
    "connection_names": "_config",
    "Connection": "_config",
    "connections": "_config",
    "secret_names": "_config",
    "forget_change": "_everywhere_forget",
    "forget_change_async": "_everywhere_forget",
    "resume_everywhere": "_everywhere",
    "resume_everywhere_async": "_everywhere",
    "Rotation": "_rotate_run",
    "resume_rotation": "_rotate",
    "resume_rotation_async": "_rotate",
    "rotate": "_rotate",
    "rotate_async": "_rotate",
    "update_everywhere": "_everywhere",
    "update_everywhere_async": "_everywhere",
    "EverywhereResult": "_everywhere_results",
    "LeftOut": "_everywhere_results",
    "NotApplied": "_everywhere_results",
    "Restored": "_everywhere_results",
    "Unknown": "_everywhere_results",
    "Updated": "_everywhere_results",
    "WouldUpdate": "_everywhere_results",
    "ChangeInfo": "_everywhere_list",
    "changes": "_everywhere_list",
    "Vault": "_admin",
    "AsyncVault": "_admin_async",
    "AuditEntry": "_trail",
    "AuditHead": "_trail",
    "PrincipalInfo": "_trail",
    "SecretInfo": "_trail",
    "SlotInfo": "_trail",
    "Verified": "_trail",
    "VersionInfo": "_trail",
    "AsyncSecretBridge": "_async",
    "Capabilities": "_capabilities",
    "Limit": "_capabilities",
    "AccountKey": "_credentials",
    "EnvironmentKey": "_credentials",
    "ExternalKey": "_credentials",
    "KeyFile": "_credentials",
    "KeyWrapper": "_credentials",
    "KeyringKey": "_credentials",
    "Passphrase": "_credentials",
    "Retry": "_models",
    "Secret": "_models",
    "Timeout": "_models",
    "update_secret": "_once",
    "SecretBridge": "_sync",
    "UNSET": "_unset",
    "Unset": "_unset",
    "__version__": "_version",
    "Appfarm": "providers.appfarm",
    "InsForge": "providers.insforge",
    "IoNet": "providers.ionet",
    "Local": "providers.local",
    "Wix": "providers.wix",
}


def __getattr__(name: str) -> object:
    if name in {"errors", "migrate"}:
        return import_module(f"secretbridge.{name}")
    place = _PLACES.get(name, "errors" if name in __all__ else None)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{place}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
