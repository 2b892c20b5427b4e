"""Bugs that the tests of looks must see."""

MUTANTS = (
    (
        "LK01",
        "inference/profile_draw/adapters/products.py",
        "up = (ups[0][:, :, None] * ups[1][:, None, :]).flatten(1)",
        "up = (ups[0][:, None, :] * ups[1][:, :, None]).flatten(1)",
        "a LoHa's pairs of directions are put together crosswise",
    ),
    (
        "LK02",
        "inference/profile_draw/adapters/products.py",
        "return LayerWeights(down, up, (rank if alpha is None else alpha) / rank)",
        "return LayerWeights(down, up, (rank if alpha is None else alpha) / len(down))",
        "a LoHa's alpha is divided by the rank that it is served at",
    ),
    (
        "LK03",
        "inference/profile_draw/adapters/look_file.py",
        "        other = other or self.other_base(header.texts)\n",
        "",
        "what kohya's metadata say of the base model is not read",
    ),
    (
        "LK04",
        "inference/profile_draw/bank.py",
        "                        layer.wipe(placement.slot)",
        "                        pass",
        "a look is drawn with the layers of whoever stood in its slot",
    ),
    (
        "LK05",
        "inference/profile_predictor/engine/engine.py",
        "adapters.append((weights, look.weight))",
        "adapters.append((weights, 1.0))",
        "looks are drawn with at full weight",
    ),
    (
        "LK06",
        "inference/profile_predictor/server/grants.py",
        "places = looks_area(area), shared_looks(store_prefix_of(area))",
        "places = looks_area(area), store_prefix_of(area)",
        "a look may be read from another namespace",
    ),
    (
        "LK07",
        "inference/profile_predictor/engine/adapter_store.py",
        "return _LOOK + grant.sha256 if isinstance(grant, LookGrant) else grant.sha256",
        "return grant.sha256",
        "a person is drawn with what was read as a look, without all layers",
    ),
    (
        "LK08",
        "crds/profile_contract/stages/generate.py",
        'return [{"looks": [look.sha256 for look in looks]}] if looks else []',
        "return []",
        "another file of a look draws nothing again",
    ),
    (
        "LK09",
        "crds/profile_contract/resolved.py",
        "            check_look(area, look.key)",
        "            pass",
        "a forged record draws with another namespace's look",
    ),
)
