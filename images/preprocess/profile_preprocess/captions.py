"""What a training crop shows, in words. {subject} stands for the person, as in a style's prompt."""

from __future__ import annotations

TURNED = 20.0
HALF_TURNED = 40.0
# Shares of the crop's height above which a face is all of it.
CLOSE_UP = 0.5


def caption(yaw: float, face_share: float) -> str:
    """The caption of a crop: what is named here is not learnt as part of the person.

    `yaw` in degrees, positive to the picture's right; `face_share` is the face's share of the crop's height.
    """
    framing = "close-up portrait" if face_share > CLOSE_UP else "head and shoulders"
    return f"a photo of {{subject}}, {framing}, {facing(yaw)}"


def facing(yaw: float) -> str:
    """Where the face looks, in the picture's own left and right. `yaw` in degrees, positive to the right."""
    if abs(yaw) < TURNED:
        return "facing the camera"
    side = "right" if yaw > 0 else "left"
    return f"turned {'slightly ' if abs(yaw) < HALF_TURNED else ''}to the {side}"
