"""The small portrait model made again: linear latents, wide levels, words that mean somebody, any device.

looks     renders -> what the product's networks see in them: joints and faces
latents   training pictures -> the linear transform whose coefficients are the latents
train     renders, looks, transform -> text encoders, UNet and ControlNet, trained together; goes on where it was cut
samples   a sheet of what it draws, and figures
export    the trained networks as two folders that plain diffusers loads
bundle    all that a machine without this repository and without a network needs, in one folder
"""
