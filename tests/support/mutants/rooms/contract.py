"""Bugs that the tests of contract must see."""

MUTANTS = (
    (
        "K01",
        "crds/profile_contract/shell.py",
        ("    signal.signal(signal.SIGTERM, _terminated)\n"),
        "",
        "stages do not hear SIGTERM",
    ),
    (
        "K02",
        "crds/profile_contract/store.py",
        ("        if errors:\n            raise StoreError"),
        ("        if False:\n            raise StoreError"),
        "objects that could not be deleted are counted as deleted",
    ),
    (
        "K03",
        "crds/profile_contract/store.py",
        'if error.code in ("NoSuchKey", "NoSuchObject"):',
        'if error.code in ("NoSuchKey", "NoSuchObject", "AccessDenied"):',
        "a refused read counts as 'not there'",
    ),
    (
        "K04",
        "crds/profile_contract/generation.py",
        "MAXIMUM_ITEMS = 4",
        "MAXIMUM_ITEMS = 400",
        "an order of 400 pictures is taken",
    ),
    (
        "K05",
        "crds/profile_contract/orders.py",
        "return [image for image in self.images if not image.held_out]",
        "return list(self.images)",
        "held-out photos are trained on",
    ),
    (
        "K06",
        "crds/profile_contract/style.py",
        "tone = TONE_WORDS[Tone.NEUTRAL if neutral else self.tone]",
        "tone = TONE_WORDS[self.tone]",
        "the neutral twin is not neutral",
    ),
    (
        "K07",
        "crds/profile_contract/model.py",
        'frozen=True, extra="forbid", protected_namespaces=()',
        'frozen=True, extra="ignore", protected_namespaces=()',
        "unknown fields are taken in silence",
    ),
    (
        "K09",
        "crds/profile_contract/store.py",
        (
            "            url: str = self._client.presigned_put_object(\n"
            "                bucket_name=self._bucket, object_name=key, expires=timedelta(seconds=seconds)"
        ),
        (
            "            url: str = self._client.presigned_put_object(\n"
            "                bucket_name=self._bucket, object_name=key, expires=timedelta(days=7)"
        ),
        "links that write live a week",
    ),
)
