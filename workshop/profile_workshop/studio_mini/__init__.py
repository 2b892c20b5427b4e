"""studio-mini: a small model of SDXL's architecture, trained on rendered people who do not exist.

    prepare   renders -> training pictures with prompts and pose joints
    vae       pictures -> autoencoder, then latents
    unet      latents, prompts, pose maps -> text encoders, UNet and ControlNet, trained together
    export    the trained networks as two folders that plain diffusers loads

Every stage goes on where it was cut.
"""
