"""EndingControlNet: a ControlNet that costs nothing once its part of the steps is over."""

from __future__ import annotations

from typing import Any

from diffusers import ControlNetModel


class EndingControlNet(ControlNetModel):
    """A ControlNet whose network is not run at weight nought.

    diffusers' pipelines run it to the last step, and after `control_guidance_end` multiply what comes by nought: a pose
    that is followed for seven steps in ten would cost the other three as well.
    """

    def forward(
        self,
        sample: Any,
        timestep: Any,
        encoder_hidden_states: Any,
        controlnet_cond: Any,
        conditioning_scale: float = 1.0,
        **more: Any,
    ) -> Any:
        """What the UNet adds to its blocks, and to its middle; None for both at weight nought: it adds nothing."""
        if conditioning_scale == 0:
            return None, None
        return super().forward(
            sample, timestep, encoder_hidden_states, controlnet_cond, conditioning_scale=conditioning_scale, **more
        )
