"""Bugs that the tests of digests must see."""

MUTANTS = (
    (
        "G01",
        "crds/profile_contract/stages/chain.py",
        "return [spec.seed, spec.candidates, *picture.for_style(style).parameters, *source]",
        "return [spec.candidates, *picture.for_style(style).parameters, *source]",
        "candidates' digest: seed dropped",
    ),
    (
        "G02",
        "crds/profile_contract/stages/chain.py",
        "return [spec.seed, spec.candidates, *picture.for_style(style).parameters, *source]",
        "return [spec.seed, spec.candidates, *source]",
        "candidates' digest: picture size and sampler overrides dropped",
    ),
    (
        "G03",
        "crds/profile_contract/stages/generate.py",
        "return digest_of([VERSION, adapter, style_key, style.distinction(), [*parameters, *looks_drawn(looks)]])",
        "return digest_of([VERSION, adapter, style.distinction(), [*parameters, *looks_drawn(looks)]])",
        "candidates' digest: style name dropped (two equal styles share a prefix)",
    ),
    (
        "G04",
        "crds/profile_contract/stages/train.py",
        "return digest_of([VERSION, dataset, parameters.distinction(), *of_look])",
        "return digest_of([dataset, parameters.distinction(), *of_look])",
        "train digest: stage version dropped",
    ),
    (
        "G05",
        "crds/profile_contract/stages/preprocess.py",
        "return digest_of([VERSION, photos, parameters.distinction(), *of_look])",
        "return digest_of([VERSION, photos, *of_look])",
        "preprocess digest: parameters dropped",
    ),
    (
        "G06",
        "crds/profile_contract/picture_size.py",
        '            "control_end": self.control_end_percent,\n            "sampler"',
        '            "sampler"',
        "candidates' digest: controlEndPercent override dropped",
    ),
    (
        "G07",
        "crds/profile_contract/stages/chain.py",
        "visible_mark=self.visible_mark,",
        "",
        "visibleMark never reaches finishing",
    ),
    (
        "U01",
        "crds/profile_contract/model.py",
        'return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)',
        'return self.model_dump(mode="json", by_alias=True, exclude_none=True)',
        "a new training parameter with a default changes every digest: an upgrade trains everybody again",
    ),
)
