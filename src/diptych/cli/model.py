"""Which model, loaded and sampled how: the same words for all commands that make videos."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from diptych.cli import values


def add_model(parser: argparse.ArgumentParser) -> None:
    """What is loaded, and how; :func:`model_asked` reads it."""
    parser.add_argument(
        "--model", metavar="NAME|FOLDER", default="mini", help="a bundled model or a folder (default mini)"
    )
    parser.add_argument(
        "--backbone",
        choices=("mini", "hunyuan15", "wan", "motif"),
        default="mini",
        help="the bundled mini, or a foundation model that is downloaded (default mini)",
    )
    parser.add_argument(
        "--weights", metavar="FOLDER|REPO", help="where a foundation model lies (default: its makers' repository)"
    )
    parser.add_argument("--revision", metavar="NAME", help="commit, tag or branch of the repository")
    parser.add_argument("--adapter", metavar="PATH", type=Path, help="adapter trained with Diptych for the backbone")
    parser.add_argument(
        "--lora",
        metavar="PATH[=X]",
        type=values.lora,
        action="append",
        default=[],
        help="another LoRA, counted X times",
    )
    parser.add_argument(
        "--panel-area",
        metavar="N",
        type=values.count_from(16),
        help="pixels of a foundation model's panel (default 480p)",
    )
    parser.add_argument(
        "--window", metavar="N", type=values.count_from(9), help="frames of a foundation model's window, 1 + 4k"
    )
    parser.add_argument(
        "--step-cache", choices=("first-block", "taylor"), help="skip or extrapolate steps of a foundation model"
    )
    parser.add_argument("--offload", choices=("block", "leaf"), help="keep its weights in main memory until used")
    parser.add_argument("--storage", choices=("fp8", "int8"), help="keep its weights in 8 bits")
    parser.add_argument("--vae-tiling", action="store_true", help="decode and encode in tiles")
    parser.add_argument("--memory", choices=("auto",), help="choose what makes it fit the card, or say what size would")
    parser.add_argument("--compile", action="store_true", help="compile its blocks")
    parser.add_argument("--attention", metavar="NAME", help="one of diffusers' attention back-ends")


def model_asked(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of :class:`~diptych.options.ModelOptions` that say which model, and how it is loaded."""
    if args.backbone != "mini" and args.model != "mini":
        args.parser.error("--model is for the mini; say --weights for another backbone")
    return {
        "model": args.model,
        "backbone": args.backbone,
        "weights": args.weights,
        "revision": args.revision,
        "adapter": args.adapter,
        "loras": tuple(args.lora),
        "panel_area": args.panel_area,
        "window": args.window,
        "step_cache": args.step_cache,
        "offload": args.offload,
        "storage": args.storage,
        "vae_tiling": args.vae_tiling,
        "memory": args.memory,
        "compile": args.compile,
        "attention": args.attention,
    }


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """How it samples, one setting for all that is made; :func:`sampling_asked` reads it."""
    parser.add_argument(
        "--steps", metavar="N", type=values.count_from(1), help="denoising steps (default: the model's)"
    )
    parser.add_argument(
        "--guidance-scale",
        metavar="X",
        type=values.number,
        help="how strongly the prompt is followed; 1 is no guidance",
    )


def sampling_asked(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of :class:`~diptych.options.ModelOptions` that say how it samples."""
    return {"steps": args.steps, "guidance_scale": args.guidance_scale}
