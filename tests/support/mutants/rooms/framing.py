"""Bugs that the tests of framing, poses and their maps must see."""

MUTANTS = (
    (
        "PO1",
        "crds/profile_contract/framing.py",
        "return self.above >= other.above and self.below >= other.below and self.aside >= other.aside",
        "return self.above >= other.above and self.below >= other.below",
        "a layout that shows more aside is cut from what was drawn narrower",
    ),
    (
        "PO2",
        "crds/profile_contract/framing.py",
        "    need = 1 + MARGIN / PER_CENT\n",
        "    need = 1 - MARGIN / PER_CENT\n",
        "heads are drawn larger than the layouts have room for",
    ),
    (
        "PO3",
        "vision/profile_vision/poses.py",
        "    if joint is None or not (0 <= joint[0] < 1 and 0 <= joint[1] < 1):\n",
        "    if joint is None:\n",
        "limbs that leave the picture are drawn to its edge",
    ),
    (
        "PO4",
        "vision/profile_vision/poses.py",
        "    thickness = max(2, round(line * max(width, height) / 1000))\n",
        "    thickness = max(2, round(line * min(width, height) / 1000))\n",
        "lines of upright pose maps are thinner than the ControlNet was trained with",
    ),
    (
        "PO5",
        "crds/profile_contract/resolved.py",
        "            if kept.picture.shows(picture.room):\n",
        "            if True:\n",
        "a layout that shows more is cut from what was drawn narrower",
    ),
    (
        "PO6",
        "inference/profile_draw/rows.py",
        "        if item.joints is not None and item.pose is not None:\n",
        "        if False:\n",
        "an item with joints and a pose map follows one of them in silence",
    ),
)
