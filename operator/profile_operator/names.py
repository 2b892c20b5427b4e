"""Names in the cluster: labels, annotations, field manager. Those of a request are in `profile_contract.resource`."""

from __future__ import annotations

from profile_contract import GROUP, manifest

API_VERSION, REQUEST_KIND = manifest.API_VERSION, manifest.REQUEST_KIND

LABEL_REQUEST = f"{GROUP}/request"
# On Jobs and Secrets of a look that is learnt: its name. Whose it is their owner says.
LABEL_LOOK = f"{GROUP}/style-adapter"
LABEL_STAGE = f"{GROUP}/stage"
# On Jobs: the request's uid. Deletion that orphans takes the owner reference away, and leaves this.
LABEL_UID = f"{GROUP}/request-uid"
# On Jobs: the whole digest, of which the name holds eight digits.
DIGEST_ANNOTATION = f"{GROUP}/digest"

# Kueue's, on Jobs that it lets go.
KUEUE_QUEUE = "kueue.x-k8s.io/queue-name"
KUEUE_PRIORITY = "kueue.x-k8s.io/priority-class"

FIELD_MANAGER = "profile-operator"
CONTAINER = "stage"
COMPONENT = "profile-operator"


def credentials_secret(request: str, stage: str, uid: str) -> str:
    """The Secret with the credentials of one stage's Job: at most 88 characters, and nobody else's by its uid."""
    return f"{request}-{stage}-{uid}"
