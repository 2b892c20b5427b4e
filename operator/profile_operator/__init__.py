"""The operator: watches ProfileRequests and drives photos to portraits.

handlers -> reconcile -> observe, decide, apply. `decide` and `manifests` are pure: every rule of the product stands
there, and they import neither kopf, kubernetes, httpx2 nor minio.
"""
