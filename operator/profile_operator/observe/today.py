"""Today: what requests would be resolved to now, as it was found at the last look: a request under way has many."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping

# Of requests; what is forgotten is found again.
MOST = 4096


class Today:
    """The fingerprints of the inputs, by the request's UID."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[Hashable, Mapping[str, str]]] = OrderedDict()

    def of(self, uid: str, mark: Hashable | None, find: Callable[[], Mapping[str, str]]) -> Mapping[str, str]:
        """Those of a request, by `find` where the mark of all that they depend on is another than at the last look.

        `mark` None: nobody knows what they depend on.
        """
        before, fingerprints = self._known.get(uid, (None, {}))
        if mark is not None and before == mark:
            return fingerprints
        fingerprints = find()
        self._known[uid] = (mark, fingerprints)
        self._known.move_to_end(uid)
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return fingerprints
