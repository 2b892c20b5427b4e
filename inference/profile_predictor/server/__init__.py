"""The server: the engine as a KServe model over the Open Inference Protocol (V2). It knows no torch."""
