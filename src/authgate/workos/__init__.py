"""WorkOS, asked through its official SDK: one long-lived client, values in and values out.

`client` is the room's face, `asking` how a call is made, `transport` the bounded way out that the
SDK is given, `reading` what an answer says, `webhooks` whether an event was WorkOS's own. The SDK
is imported at the first call, in a thread: a server without WorkOS never loads it. Never here: what
an answer means for a person or a request (`directories.workos`, `issuers`), nor anything that is
remembered. No model of the SDK's and none of its errors leaves this room. Uses `observe` alone.
"""

from __future__ import annotations

from authgate.workos.asking import WorkOSPolicy
from authgate.workos.client import WorkOS
from authgate.workos.signing_in import Origin
from authgate.workos.values import (
    Application,
    Authenticated,
    Completed,
    Done,
    Factor,
    Identity,
    Kind,
    OAuthResource,
    Organization,
    Session,
    StepUp,
    Trouble,
    WorkOSUser,
)
from authgate.workos.webhooks import Event, NotGenuine, verify_webhook

__all__ = [
    "Application",
    "Authenticated",
    "Completed",
    "Done",
    "Event",
    "Factor",
    "Identity",
    "Kind",
    "NotGenuine",
    "OAuthResource",
    "Organization",
    "Origin",
    "Session",
    "StepUp",
    "Trouble",
    "WorkOS",
    "WorkOSPolicy",
    "WorkOSUser",
    "verify_webhook",
]
