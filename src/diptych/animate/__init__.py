"""From a picture and a motion to a video: the sampler in latents, the session in pictures."""
