"""Bugs that the tests of evaluate must see."""

MUTANTS = (
    (
        "E01",
        "cli/profile_evaluate/figures.py",
        "return self.adapter - (self.base or 0.0)",
        "return self.adapter - (self.described or 0.0)",
        "gain against another base",
    ),
    (
        "E02",
        "cli/profile_evaluate/figures.py",
        "middle = (self.value + Z95**2 / (2 * self.of)) / (1 + Z95**2 / self.of)",
        "middle = self.value",
        "Wilson's interval not centred",
    ),
    (
        "E03",
        "cli/profile_evaluate/figures.py",
        "return measured[self.chosen_step] > measured[min(measured)]",
        "return measured[self.chosen_step] >= measured[min(measured)]",
        "'rises' when it stays",
    ),
    (
        "E04",
        "cli/profile_evaluate/person.py",
        "references=_known(_first(store, image.image, faces) for image in results.preprocess.reference_images),",
        "references=_known(_first(store, image.image, faces) for image in images),",
        "likeness measured against the photos that were trained on",
    ),
    (
        "E05",
        "cli/profile_evaluate/person.py",
        "return embeddings[0] if len(embeddings) == 1 else None",
        "return embeddings[0] if embeddings else None",
        "base portraits with two faces count",
    ),
    (
        "E06",
        "cli/profile_evaluate/person.py",
        "shares += [None if value is None else value / ceiling for value in like]",
        "shares += [None if value is None else value for value in like]",
        "style's share not per ceiling",
    ),
    (
        "E07",
        "cli/profile_evaluate/person.py",
        "        if not candidate.twin\n    ]\n    seen",
        "    ]\n    seen",
        "neutral twins are counted as candidates",
    ),
    (
        "E08",
        "cli/profile_evaluate/drawing.py",
        "    missing = [portrait for portrait in wanted if not _stands(store, portrait.key, digests[portrait.key])]",
        "    missing = [portrait for portrait in wanted if store.stat(portrait.key) is None]",
        "portraits of other settings are kept",
    ),
    (
        "E09",
        "cli/profile_evaluate/person.py",
        "Share(sum(count == 1 for count in measured.faces), len(measured.faces))",
        "Share(sum(count >= 1 for count in measured.faces), len(measured.faces))",
        "two faces are one",
    ),
)
