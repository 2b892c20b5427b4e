"""What the operator speaks to: Kubernetes, the store, the predictor, Redis."""
