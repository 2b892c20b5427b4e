"""Import what the components import, so that its byte code is written once, when the environment is installed.

Pods see the environment read-only and would compile torch and its like at every start (half a minute on
two cores). Compiling all of the environment would take three times as long as compiling what is used.
"""

import importlib
import os
import tempfile

MODULES = (
    "accelerate",
    "cryptography.hazmat.primitives.serialization",
    "cryptography.x509",
    "cv2",
    "diffusers.guiders",
    "diffusers.loaders.lora_pipeline",
    "diffusers.models.controlnets.controlnet",
    "diffusers.pipelines.controlnet.pipeline_controlnet_sd_xl",
    "diffusers.pipelines.controlnet.pipeline_controlnet_sd_xl_img2img",
    "diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl",
    "diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img",
    "diffusers.schedulers",
    "diffusers.training_utils",
    "httpx2",
    "kopf",
    "kserve",
    "kubernetes.aio.client",
    "kubernetes.client",
    "minio",
    "mypy.main",
    "peft",
    "PIL.ImageDraw",
    "prometheus_client",
    "psycopg2",
    "pyexiv2",
    "pytest",
    "redis",
    "reportlab.pdfgen.canvas",
    "rich.progress",
    "torch._dynamo",
    "torch.utils.data",
    "transformers.models.clip.modeling_clip",
    "transformers.models.clip.tokenization_clip",
    "ultralytics.models.yolo",
    "ultralytics.nn.tasks",
    "yaml",
)


def main() -> None:
    # ultralytics writes its settings as soon as it is imported: not into the user's home.
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["YOLO_CONFIG_DIR"] = scratch
        for name in MODULES:
            importlib.import_module(name)


if __name__ == "__main__":
    main()
