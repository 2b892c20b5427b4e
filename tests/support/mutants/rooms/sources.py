"""Bugs in what is drawn over photos, and in previews, that the tests must see."""

MUTANTS = (
    (
        "IM8",
        "crds/profile_contract/sources.py",
        "image.wide.head.height - ROOMY_HEAD",
        "ROOMY_HEAD - image.wide.head.height",
        "the photo that leaves the most room is drawn over last",
    ),
    (
        "IM1",
        "crds/profile_contract/sources.py",
        "return image.held_out, turned",
        "return False, turned",
        "the photo that judges likeness is drawn over first",
    ),
    (
        "IM2",
        "crds/profile_contract/stages/chain.py",
        "if style.drawn_over and spec.source is not None else []",
        "if spec.source is not None else []",
        "another photo to keep draws the styles again that begin as noise",
    ),
    (
        "IM3",
        "operator/profile_operator/decide/status.py",
        "portraits = delivered if report and not report.preview else list(old.portraits)",
        "portraits = delivered if report else list(old.portraits)",
        "previews are told, and counted, as portraits",
    ),
    (
        "IM4",
        "operator/profile_operator/decide/decision.py",
        "    if first is None or None in omitted:\n",
        "    if first is None:\n",
        "one style that cannot be drawn holds up the others",
    ),
    (
        "IM5",
        "vision/profile_vision/windows.py",
        "eye_line=100 * (1 - wanted.eyes)",
        "eye_line=100 * wanted.eyes",
        "a photo that is drawn over is framed upside down",
    ),
    (
        "IM6",
        "images/finish/profile_finish/references.py",
        "if not same]\n",
        "if same]\n",
        "what is drawn over a photo is judged by that photo",
    ),
    (
        "IM7",
        "images/finish/profile_finish/portraits.py",
        "        if self._parameters.preview:\n",
        "        if False:\n",
        "a preview's file says that it is a portrait",
    ),
)
