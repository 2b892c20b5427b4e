"""An order's photos out of the store: whole, to be looked at, and in parts, to be cut."""

from __future__ import annotations

from dataclasses import dataclass

from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import PhotoRef, PreprocessParameters
from profile_runtime.store.port import Store
from profile_vision.decoding import Decoder
from profile_vision.framing import Cut
from profile_vision.pixels import BGR

from .decode import Frame, Refused, decode
from .long_shape import is_long, part_with_face
from .look import Look, Networks, look_at
from .verdicts import Measures


@dataclass(frozen=True)
class Opener:
    """Reads photos and opens them. Raises Refused, and StoreError where the store fails."""

    store: Store
    decoder: Decoder
    parameters: PreprocessParameters

    def look(self, photo: PhotoRef, networks: Networks) -> Look:
        """Look at a photo; of a long one at the part around its largest face."""
        data = self._read(photo)
        whole = decode(data, self.parameters, self.decoder)
        if not is_long(whole):
            return look_at(whole, networks, self.parameters)
        box = part_with_face(whole, networks.faces)
        if box is None:
            return Look(reason=PhotoReason.NO_FACE, measures=Measures(long=True))
        return look_at(decode(data, self.parameters, self.decoder, box), networks, self.parameters, long=True)

    def part(self, photo: PhotoRef, frame: Frame, cut: Cut) -> BGR:
        """What a cut of the photo's frame shows, as large as the file has it."""
        box = frame.in_file(cut.left, cut.top, cut.width, cut.height)
        return decode(self._read(photo), self.parameters, self.decoder, box).turned(frame.turns).pixels

    def _read(self, photo: PhotoRef) -> bytes:
        if photo.bytes > self.parameters.maximum_bytes:
            raise Refused(PhotoReason.TOO_MANY_BYTES)
        return self.store.read(photo.key)
