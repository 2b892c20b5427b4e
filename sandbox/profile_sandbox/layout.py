"""Addresses and folders inside a sandbox. They are the same in every sandbox, since each has namespaces of its own."""

from __future__ import annotations

# Addresses in the sandbox's network namespace.
NODE_NAME = "sandbox"
NODE_IP = "10.244.0.1"
API_PORT = 6443
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
POD_RANGE = "10.244.0.0/16"
NODE_POD_RANGE = "10.244.1.0/24"
ETCD_URL = "http://127.0.0.1:2379"
# Below the folder of certificates: what KServe's manager takes for its TMPDIR.
WEBHOOK_FOLDER = "kserve"
KSERVE_WEBHOOK_PORT = 9443
KSERVE_HEALTH_PORT = 8081
COREDNS_HEALTH_PORT = 8080

# Folders in the sandbox's mount namespace, below a tmpfs on /run: short, whatever the clone's path is
# (a Unix socket's path may have 107 bytes), and gone with the namespace.
INSIDE = "/run/sandbox"
STATE = f"{INSIDE}/state"
SOURCE = f"{INSIDE}/source"
SITE = f"{INSIDE}/site"
BASE_PYTHON = f"{INSIDE}/python"
MODELS = f"{INSIDE}/models"
PROGRAMS = f"{INSIDE}/bin"
KUBECTL = f"{PROGRAMS}/kubectl"
CONTAINERD_SOCKET = f"{INSIDE}/containerd.sock"
ADMIN_KUBECONFIG = f"{STATE}/pki/admin.kubeconfig"

# Namespaces that the sandbox makes.
SERVICES_NAMESPACE = "profile-services"
KSERVE_NAMESPACE = "kserve"
PRODUCT_NAMESPACE = "profile-system"
