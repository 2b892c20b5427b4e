"""Bugs that the tests of the second pass over faces must see."""

MUTANTS = (
    (
        "DE1",
        "inference/profile_draw/detail.py",
        "blended = (square + mask * (fitting - square))",
        "blended = fitting",
        "a second pass changes the picture beside the face",
    ),
    (
        "DE2",
        "inference/profile_draw/detail.py",
        "detail.below is not None and face.box[3] >= detail.below",
        "detail.below is not None and face.box[3] > detail.below",
        "faces of just the size that needs no second pass are drawn again",
    ),
    (
        "DE3",
        "inference/profile_draw/detail.py",
        "together.setdefault(shape, [])",
        "together.setdefault(picture.piece.shape, [])",
        "faces of different strengths are drawn as one batch",
    ),
    (
        "DE4",
        "inference/profile_draw/detail.py",
        "moved = actual.mean(axis=0) - scale * wanted.mean(axis=0)",
        "moved = wanted.mean(axis=0) - scale * actual.mean(axis=0)",
        "a second pass is posed away from the face that was drawn",
    ),
    (
        "DE5",
        "crds/profile_contract/picture_size.py",
        "below=self.face_pixels if asked.mode is DetailMode.AUTO else None,",
        "below=self.face_pixels,",
        "a style that always wants a second pass gets it for small faces alone",
    ),
    (
        "DE7",
        "crds/profile_contract/picture_size.py",
        "max(style.sampler.steps, -(-100 // asked.strength_percent))",
        "style.sampler.steps",
        "every order of a style of two steps is refused for its second pass",
    ),
    (
        "DE6",
        "inference/profile_predictor/engine/queue.py",
        "passes if waiting.piece.detail is not None else 0.0",
        "passes",
        "who asked for no second pass pays for the others'",
        "tests/e2e/predictor/test_detail.py::test_only_who_asked_for_a_second_pass_pays_for_it",
    ),
)
