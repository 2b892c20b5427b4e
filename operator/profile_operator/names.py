"""Names in the cluster: labels, annotations, field manager. Those of a request are in `profile_contract.resource`."""

from __future__ import annotations

from profile_contract import GROUP, manifest

API_VERSION, REQUEST_KIND = manifest.API_VERSION, manifest.REQUEST_KIND

LABEL_REQUEST = f"{GROUP}/request"
LABEL_STAGE = f"{GROUP}/stage"
# On Jobs: the request's uid. Deletion that orphans takes the owner reference away, and leaves this.
LABEL_UID = f"{GROUP}/request-uid"
# On Jobs: the whole digest, of which the name holds eight digits.
DIGEST_ANNOTATION = f"{GROUP}/digest"

# Kueue's, on Jobs that it lets go.
KUEUE_QUEUE = "kueue.x-k8s.io/queue-name"
KUEUE_PRIORITY = "kueue.x-k8s.io/priority-class"

# On the credentials' Secret: whose they are, for which stage and scope, when they end, and when the last of all ends.
CREDENTIALS_UID = f"{GROUP}/uid"
CREDENTIALS_STAGE = f"{GROUP}/credentials-stage"
CREDENTIALS_SCOPE = f"{GROUP}/credentials-scope"
CREDENTIALS_END = f"{GROUP}/credentials-end"
LAST_END = f"{GROUP}/last-credentials-end"

FIELD_MANAGER = "profile-operator"
CONTAINER = "stage"
COMPONENT = "profile-operator"


def credentials_secret(request: str) -> str:
    """The Secret that holds the temporary store credentials of a request's Jobs."""
    return f"{request}-store-credentials"


def secret_key(stage: str, variable: str) -> str:
    """Where a variable of one stage's credentials stands in that Secret."""
    return f"{stage}.{variable}"
