"""The contract between the components: resources, orders, reports, artifacts, progress, exit codes.

Every other package imports this one and none imports another component. It holds no heavy library, so
that the operator image needs no torch and a stage image needs no kopf.
"""

GROUP = "profilestudio.io"
VERSION = "v1alpha1"
