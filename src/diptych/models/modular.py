"""The canvas as blocks of diffusers' ModularPipeline, for those who live in that ecosystem.

Thin: what lies where on a canvas, what is given and where it is empty come from ``method/``, as for our own sampler.
Loading, LoRA, guiders, schedulers and saving are the pipeline's. One canvas a call: a lead-in, then as many frames as
the driver has.

    from diptych.models.modular import HunyuanCanvasBlocks
    pipe = HunyuanCanvasBlocks().init_pipeline("hunyuanvideo-community/HunyuanVideo-1.5-480p_i2v")
    pipe.load_components(torch_dtype=torch.bfloat16)
    pipe.load_lora_weights("adapter")
    video = pipe(prompt=..., reference=reference, driving=frames, lead_in=25).get("videos")
"""

# diffusers asks blocks for these properties and class attributes, whose meaning is its own.
# ruff: noqa: D102, RUF012

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKLHunyuanVideo15, AutoencoderKLWan
from diffusers.modular_pipelines import ModularPipelineBlocks, SequentialPipelineBlocks
from diffusers.modular_pipelines.hunyuan_video1_5 import modular_blocks_hunyuan_video1_5 as hunyuan
from diffusers.modular_pipelines.modular_pipeline_utils import ComponentSpec, InputParam, OutputParam
from diffusers.modular_pipelines.wan import modular_blocks_wan_i2v as wan
from PIL import Image
from torch import Tensor

from diptych.method.incontext import Condition, Window, canvas_condition, opening, output_latents
from diptych.models.foundation import statistics, to_bytes

_STRIDE = 4
_INPUTS = [
    InputParam("reference", required=True, type_hint=Tensor, description="the picture in [-1, 1], (3, h, w)"),
    InputParam("driving", required=True, type_hint=Tensor, description="the driver in [-1, 1], (3, n, h, w)"),
    InputParam("lead_in", type_hint=int, default=25, description="frames before the driver begins, 1 + 4k"),
]
_SIZES = [
    OutputParam("height", type_hint=int),
    OutputParam("width", type_hint=int),
    OutputParam("num_frames", type_hint=int),
]


def _window(driver_frames: int, lead_in: int) -> Window:
    """The shortest opening that shows all of a driver."""
    return opening(lead_in + -(-driver_frames // _STRIDE) * _STRIDE, lead_in, _STRIDE)


def _picture(reference: Tensor) -> Image.Image:
    return Image.fromarray(to_bytes(reference).numpy())


class _TakeResult(ModularPipelineBlocks):
    """The left panel of the finished canvas, which alone is decoded."""

    @property
    def description(self) -> str:
        return "takes the left panel of the finished canvas"

    @property
    def inputs(self) -> list[InputParam]:
        return [InputParam.template("latents", required=True)]

    @property
    def intermediate_outputs(self) -> list[OutputParam]:
        return [OutputParam.template("latents")]

    def __call__(self, components: Any, state: Any) -> tuple[Any, Any]:
        block = self.get_block_state(state)
        block.latents = output_latents(block.latents)
        self.set_block_state(state, block)
        return components, state


class HunyuanTakeResult(_TakeResult):
    """See above."""

    model_name = "hunyuan-video-1.5"


class WanTakeResult(_TakeResult):
    """See above."""

    model_name = "wan"


class HunyuanCanvasEncode(ModularPipelineBlocks):
    """Picture and driver to the latents and mask of a canvas."""

    model_name = "hunyuan-video-1.5"

    @property
    def description(self) -> str:
        return "lays picture and driver side by side and encodes them as one clip"

    @property
    def expected_components(self) -> list[ComponentSpec]:
        return [ComponentSpec("vae", AutoencoderKLHunyuanVideo15)]

    @property
    def inputs(self) -> list[InputParam]:
        return _INPUTS

    @property
    def intermediate_outputs(self) -> list[OutputParam]:
        return [OutputParam("canvas", type_hint=Condition), OutputParam("image", type_hint=Image.Image), *_SIZES]

    @torch.no_grad()
    def __call__(self, components: Any, state: Any) -> tuple[Any, Any]:
        block, vae = self.get_block_state(state), components.vae
        window = _window(block.driving.shape[1], block.lead_in)

        def encode(pixels: Tensor) -> Tensor:
            coded: Tensor = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode().float()
            return coded * vae.config.scaling_factor

        block.canvas = canvas_condition(
            encode, block.reference[None], block.driving[None], window, empty="latents", stride=_STRIDE
        )
        block.image = _picture(block.reference)
        block.height, block.width = block.driving.shape[2], 2 * block.driving.shape[3]
        block.num_frames = window.frames
        self.set_block_state(state, block)
        return components, state


class HunyuanCanvasCondition(ModularPipelineBlocks):
    """The canvas in the form that the denoising loop takes it, in place of the first frame's."""

    model_name = "hunyuan-video-1.5"

    @property
    def description(self) -> str:
        return "hands the canvas to the denoising loop"

    @property
    def inputs(self) -> list[InputParam]:
        return [
            InputParam("canvas", required=True, type_hint=Condition),
            InputParam("image_embeds", required=True, type_hint=Tensor),
            InputParam.template("latents", required=True),
        ]

    @property
    def intermediate_outputs(self) -> list[OutputParam]:
        return [OutputParam("cond_latents_concat"), OutputParam("mask_concat"), OutputParam("image_embeds")]

    @torch.no_grad()
    def __call__(self, components: Any, state: Any) -> tuple[Any, Any]:
        block = self.get_block_state(state)
        count = len(block.latents)
        block.cond_latents_concat = block.canvas.latents.to(block.latents).expand(count, -1, -1, -1, -1)
        block.mask_concat = block.canvas.mask.to(block.latents).expand(count, -1, -1, -1, -1)
        block.image_embeds = block.image_embeds.to(block.latents).expand(count, -1, -1)
        self.set_block_state(state, block)
        return components, state


class HunyuanCanvasDenoise(hunyuan.HunyuanVideo15Image2VideoCoreDenoiseStep):
    """The stock loop on a canvas.

    The reference is read as tokens here and not before: preparing latents puts the zeros of text-to-video in their
    place, so diffusers' own image-to-video blocks (0.42.1) animate without them.
    """

    block_classes = [
        hunyuan.HunyuanVideo15TextInputStep,
        hunyuan.HunyuanVideo15SetTimestepsStep,
        hunyuan.HunyuanVideo15PrepareLatentsStep,
        hunyuan.HunyuanVideo15ImageEncoderStep,
        HunyuanCanvasCondition,
        hunyuan.HunyuanVideo15Image2VideoDenoiseStep,
    ]
    block_names = ["input", "set_timesteps", "prepare_latents", "image_encoder", "condition", "denoise"]


class HunyuanCanvasBlocks(SequentialPipelineBlocks):
    """HunyuanVideo-1.5 on a canvas: prompt, reference and driving in, videos out."""

    model_name = "hunyuan-video-1.5"
    block_classes = [
        hunyuan.HunyuanVideo15TextEncoderStep,
        HunyuanCanvasEncode,
        HunyuanCanvasDenoise,
        HunyuanTakeResult,
        hunyuan.HunyuanVideo15VaeDecoderStep,
    ]
    block_names = ["text_encoder", "canvas", "denoise", "result", "decode"]

    @property
    def description(self) -> str:
        return "a picture performs the motion of a driver, by in-context completion of a canvas"

    @property
    def outputs(self) -> list[OutputParam]:
        return [OutputParam.template("videos")]


class WanCanvasEncode(ModularPipelineBlocks):
    """Picture and driver to the condition latents of a canvas, mask in front, as Wan's loop takes them."""

    model_name = "wan"

    @property
    def description(self) -> str:
        return "lays picture and driver side by side and encodes them as one clip"

    @property
    def expected_components(self) -> list[ComponentSpec]:
        return [ComponentSpec("vae", AutoencoderKLWan)]

    @property
    def inputs(self) -> list[InputParam]:
        return _INPUTS

    @property
    def intermediate_outputs(self) -> list[OutputParam]:
        return [OutputParam("image_condition_latents"), OutputParam("resized_image", type_hint=Image.Image), *_SIZES]

    @torch.no_grad()
    def __call__(self, components: Any, state: Any) -> tuple[Any, Any]:
        block, vae = self.get_block_state(state), components.vae
        window = _window(block.driving.shape[1], block.lead_in)

        def encode(pixels: Tensor) -> Tensor:
            coded: Tensor = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode().float()
            mean, spread = statistics(vae.config, coded)
            return (coded - mean) / spread

        canvas = canvas_condition(
            encode, block.reference[None], block.driving[None], window, empty="pixels", stride=_STRIDE
        )
        mask = canvas.mask.expand(-1, _STRIDE, -1, -1, -1)
        block.image_condition_latents = torch.cat([mask.to(canvas.latents), canvas.latents], dim=1)
        block.resized_image = _picture(block.reference)
        block.height, block.width = block.driving.shape[2], 2 * block.driving.shape[3]
        block.num_frames = window.frames
        self.set_block_state(state, block)
        return components, state


class WanCanvasBlocks(SequentialPipelineBlocks):
    """Wan 2.1 image-to-video on a canvas: prompt, reference and driving in, videos out."""

    model_name = "wan-i2v"
    block_classes = [
        wan.WanTextEncoderStep,
        WanCanvasEncode,
        wan.WanImageEncoderStep,
        wan.WanImage2VideoCoreDenoiseStep,
        WanTakeResult,
        wan.WanVaeDecoderStep,
    ]
    block_names = ["text_encoder", "canvas", "image_encoder", "denoise", "result", "decode"]

    @property
    def description(self) -> str:
        return "a picture performs the motion of a driver, by in-context completion of a canvas"

    @property
    def outputs(self) -> list[OutputParam]:
        return [OutputParam.template("videos")]
