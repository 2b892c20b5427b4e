"""Areas: where the things of a request's namespace lie in the bucket, by the UID of the namespace."""

from __future__ import annotations

from collections import OrderedDict

from profile_contract.areas import Area, area_of, told_area
from profile_contract.resource import RequestHead
from profile_operator.clients.kubernetes import Kube
from profile_runtime.kubernetes.errors import Forbidden, ResourceNotFound

# Of 10,000 requests and more; whoever is forgotten is asked about again.
MOST_REMEMBERED = 20_000


class Areas:
    """Asked once a request, and remembered by the request's UID, never by the namespace's name.

    A request does not outlive its namespace, so what was read for it stays true; a namespace that is made anew under
    the same name holds other requests.
    """

    def __init__(self, kube: Kube, store_prefix: str) -> None:
        self._kube, self._store_prefix = kube, store_prefix
        self._known: OrderedDict[str, Area] = OrderedDict()

    async def of(self, head: RequestHead) -> Area:
        """The area of the request's namespace. Raises ApiError."""
        area = self._known.get(head.uid)
        if area is None:
            uid = await self._kube.namespace_uid(head.key.namespace)
            area = self._known[head.uid] = area_of(head.key.namespace, uid, self._store_prefix)
            if len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        return area

    async def left_by(self, head: RequestHead) -> Area:
        """The area of a request that is being deleted, whose namespace we may not be allowed to see any more: then as
        its status tells it. Raises ApiError."""
        try:
            return await self.of(head)
        except (Forbidden, ResourceNotFound):
            area = told_area(head.status.area, head.key.namespace)
            if area is None:
                raise
            return area
