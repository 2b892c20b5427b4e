"""Bugs that the tests of act must see."""

MUTANTS = (
    (
        "A01",
        "operator/profile_operator/apply.py",
        "await self._kube.suspend_job(head.key.namespace, action.name, suspended=action.suspended)",
        "await self._kube.suspend_job(head.key.namespace, action.name, suspended=True)",
        "a suspended Job is never resumed",
    ),
    (
        "A02",
        "operator/profile_operator/apply.py",
        "await self._kube.set_status(head.key, changed_status(head, plan.status), version, kind=kind)",
        "await self._kube.set_status(head.key, changed_status(head, plan.status), head.resource_version, kind=kind)",
        "status written under the old resourceVersion",
    ),
    (
        "A03",
        "operator/profile_operator/apply.py",
        "if head.uid not in owners:",
        "if owners and head.uid not in owners:",
        "a Job without any owner is adopted",
    ),
    (
        "A04",
        "operator/profile_operator/kube.py",
        'metadata = {"resourceVersion": resource_version, "finalizers": list(finalizers)}',
        'metadata = {"finalizers": list(finalizers)}',
        "finalizers written without resourceVersion (others' are lost in a race)",
    ),
    (
        "A05",
        "operator/profile_operator/kube.py",
        'query=[("propagationPolicy", "Foreground")]',
        'query=[("propagationPolicy", "Background")]',
        "Jobs deleted in the background: the stage may still write when the purge begins",
    ),
    (
        "A06",
        "operator/profile_operator/purge.py",
        "count = await self._store.delete(prefix)",
        "count = 0",
        "purge leaves the artifacts",
    ),
    (
        "A07",
        "operator/profile_operator/purge.py",
        ("        digests = await self._adapter_digests(prefix)\n"),
        ("        digests: list[str] = []\n"),
        "purge tells no predictor to forget",
    ),
    (
        "A08",
        "operator/profile_operator/store_access.py",
        '            return kind.model_validate({"stage": kind.model_fields["stage"].default, "digest": "", **unreadable})',
        "            return None",
        "an unreadable report counts as none (the stage runs again for ever)",
    ),
    (
        "A09",
        "operator/profile_operator/observe.py",
        "if not failed and not (late and not job.running):",
        "if not failed and not late:",
        "pods of running Jobs are listed in every cycle",
    ),
    (
        "A10",
        "operator/profile_operator/apply.py",
        "rest = [finalizer for finalizer in head.finalizers if finalizer != names.FINALIZER]",
        "rest: list[str] = []",
        "letting go removes others' finalizers",
    ),
)
