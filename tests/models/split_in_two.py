"""Run by test_parallel.py in two processes: a prediction by one process alone, and by both together."""

import os
import sys
import warnings

import torch
import torch.distributed as dist

from diptych.models.foundation import Source
from diptych.models.hunyuan15 import Hunyuan15
from diptych.models.motif import Motif
from diptych.models.wan import Wan

FAMILIES = {"hunyuan15": Hunyuan15, "wan2.1": Wan, "wan2.2": Wan, "motif": Motif}


def main(name: str, folder: str) -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.accelerator.device_count = lambda: 1
    dist.init_process_group("gloo")
    backbone = FAMILIES[name](Source(folder))
    g = torch.Generator().manual_seed(3)
    channels, masks = backbone.facts.latent_channels, 4 if name.startswith("wan") else 1
    x = torch.randn(1, 2 * channels + masks, 5, 4, 8, generator=g)
    picture = torch.rand(1, 3, 64, 64, generator=g) * 2 - 1
    texts = [backbone.encode_text([prompt], picture) for prompt in ("a cup", "two cats dance in the rain")]

    def predicted(text: dict[str, torch.Tensor]) -> torch.Tensor:
        with torch.no_grad():
            return torch.cat([backbone.denoise(x, torch.tensor([sigma]), text) for sigma in (0.95, 0.3)])

    alone, other = (predicted(text) for text in texts)
    backbone.share(dist.get_world_size())
    split = predicted(texts[0])
    if dist.get_rank() == 0:
        print("alone", alone.abs().max().item())
        print("split", (split - alone).abs().max().item())
        print("swapped", (other - alone).abs().max().item(), flush=True)
    dist.barrier()
    dist.destroy_process_group()
    os._exit(0)  # gloo's threads may outlive the interpreter


if __name__ == "__main__":
    main(*sys.argv[1:])
