"""The predictor: candidates from orders. `engine` draws and knows no HTTP, `server` is KServe and knows no torch."""
