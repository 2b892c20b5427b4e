"""Configuration files of the Kubernetes programs, CoreDNS and the certificates they need."""

from __future__ import annotations

from pathlib import Path

import yaml

from . import layout
from .certificates import Authority, Holder, kubeconfig, service_account_key

# Who talks to the API server, and as which built-in group; each gets NAME.kubeconfig.
CLIENTS = {
    "admin": Holder("admin", "system:masters"),
    "kubelet": Holder(
        f"system:node:{layout.NODE_NAME}", "system:nodes", (layout.NODE_NAME, layout.NODE_IP, "127.0.0.1")
    ),
    "controller-manager": Holder("system:kube-controller-manager"),
    "scheduler": Holder("system:kube-scheduler"),
    "kube-proxy": Holder("system:kube-proxy"),
}
API_HOSTS = (
    "127.0.0.1",
    layout.NODE_IP,
    layout.API_SERVICE_IP,
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


def write_certificates(folder: Path, outside_port: int) -> str:
    """Write all certificates and kubeconfigs; return the kubeconfig for use on the machine, through `outside_port`."""
    authority = Authority(folder)
    authority.issue("apiserver", Holder("kube-apiserver", hosts=API_HOSTS))
    authority.issue("kserve-webhook", Holder("kserve-webhook", hosts=("127.0.0.1",)))
    service_account_key(folder)
    server = f"https://127.0.0.1:{layout.API_PORT}"
    for name, subject in CLIENTS.items():
        authority.issue(name, subject)
        _private(folder / f"{name}.kubeconfig", kubeconfig(server, folder, name))
    # Where controller-runtime's webhook server looks for its certificate, below TMPDIR.
    webhook = folder / layout.WEBHOOK_FOLDER / "k8s-webhook-server" / "serving-certs"
    webhook.mkdir(parents=True)
    _private(webhook / "tls.crt", (folder / "kserve-webhook.crt").read_text())
    _private(webhook / "tls.key", (folder / "kserve-webhook.key").read_text())
    return kubeconfig(f"https://127.0.0.1:{outside_port}", folder, "admin")


def kubelet_config(cgroup_root: str) -> str:
    """The kubelet's configuration. Everything it writes goes below the state folder."""
    pki = f"{layout.STATE}/pki"
    return yaml.safe_dump(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": cgroup_root,
            "enforceNodeAllocatable": [],
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{pki}/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "clusterDNS": [layout.NODE_IP],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": f"unix://{layout.CONTAINERD_SOCKET}",
            "tlsCertFile": f"{pki}/kubelet.crt",
            "tlsPrivateKeyFile": f"{pki}/kubelet.key",
            "address": layout.NODE_IP,
            "resolvConf": "",
            "podLogsDir": f"{layout.STATE}/run/pods",
            "volumePluginDir": f"{layout.STATE}/run/volume-plugins",
            # A developer's disk is often nearly full: that is no reason to refuse pods here.
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            # The default of five minutes apart is what the first registration waits for when the API server is young.
            "nodeStatusReportFrequency": "1m",
            "shutdownGracePeriod": "0s",
        },
        sort_keys=False,
    )


def proxy_config() -> str:
    """kube-proxy's configuration, in its nftables mode."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": f"{layout.STATE}/pki/kube-proxy.kubeconfig"},
            "clusterCIDR": layout.POD_RANGE,
            "hostnameOverride": layout.NODE_NAME,
            "oomScoreAdj": 0,
            # Zero leaves the machine-wide connection tracking limits alone.
            "conntrack": {"maxPerCore": 0},
            # Pods share a bridge: without masquerading, an answer would go to its asker directly, past the
            # translation of the Service's address.
            "nftables": {"masqueradeAll": True},
        },
        sort_keys=False,
    )


def proxy_access() -> str:
    """The binding that kubeadm would make: the built-in role system:node-proxier for kube-proxy's user."""
    group = "rbac.authorization.k8s.io"
    return yaml.safe_dump(
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "profile-sandbox-kube-proxy"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "system:node-proxier"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "system:kube-proxy"}],
        }
    )


def corefile() -> str:
    """CoreDNS: the cluster's names, and nothing else, since the sandbox has no way to the outside."""
    return f"""cluster.local:53 10.in-addr.arpa:53 {{
  bind {layout.NODE_IP}
  errors
  health 127.0.0.1:{layout.COREDNS_HEALTH_PORT}
  cache 2
  kubernetes cluster.local 10.in-addr.arpa {{
    kubeconfig {layout.ADMIN_KUBECONFIG}
    ttl 2
  }}
}}
"""


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
