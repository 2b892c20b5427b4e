"""Which way up a photo is. Not every program keeps what EXIF says of it; the face tells."""

from __future__ import annotations

from dataclasses import dataclass

from profile_vision import Face, FaceReader

from .decode import Photo


@dataclass(frozen=True)
class Upright:
    """A photo turned so that its face is upright, and the faces in it, the largest first; none, and it is as it was."""

    photo: Photo
    faces: list[Face]

    @property
    def score(self) -> float:
        """How sure the detector is of the largest face, 0 to 1."""
        return self.faces[0].score if self.faces else 0.0


def upright(photo: Photo, faces: FaceReader) -> Upright:
    """Turn the photo the way in which its largest face is found best.

    Of a face's four turns the upright one scored highest on all of 156 photos, in a small copy too. The points that are
    found on a turned face look upright, and say nothing. A small copy that shows no face at all is no answer, and one
    that prefers a turn is asked again at full size.
    """
    glances = [faces.glance(photo.turned(turns).pixels) for turns in range(4)]
    best = max(range(4), key=lambda turns: glances[turns])
    turns = range(4) if not any(glances) else sorted({0, best})
    views = [Upright(turned, faces.find(turned.pixels)) for turned in map(photo.turned, turns)]
    return max(views, key=lambda view: view.score)
