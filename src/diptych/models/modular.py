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

from diptych.method.incontext import Condition, Empty, canvas_condition, opening, output_latents
from diptych.models.foundation import encoded, to_bytes
from diptych.models.wan import fold_by_frames

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
    """For HunyuanVideo-1.5."""

    model_name = "hunyuan-video-1.5"


class WanTakeResult(_TakeResult):
    """For Wan."""

    model_name = "wan"


class _CanvasEncode(ModularPipelineBlocks):
    """Picture and driver to a canvas, encoded as one clip."""

    vae: type
    empty: Empty

    @property
    def description(self) -> str:
        return "lays picture and driver side by side and encodes them as one clip"

    @property
    def expected_components(self) -> list[ComponentSpec]:
        return [ComponentSpec("vae", self.vae)]

    @property
    def inputs(self) -> list[InputParam]:
        return _INPUTS

    def hand_over(self, block: Any, canvas: Condition, picture: Image.Image) -> None:
        """Names the canvas and the picture as the family's own blocks look for them."""
        raise NotImplementedError

    @torch.no_grad()
    def __call__(self, components: Any, state: Any) -> tuple[Any, Any]:
        block, vae = self.get_block_state(state), components.vae
        frames, height, width = block.driving.shape[1:]
        # The shortest opening that shows all of the driver.
        window = opening(block.lead_in + -(-frames // _STRIDE) * _STRIDE, block.lead_in, _STRIDE)
        canvas = canvas_condition(
            lambda pixels: encoded(vae, pixels.to(vae.device)),
            block.reference[None],
            block.driving[None],
            window,
            empty=self.empty,
            stride=_STRIDE,
        )
        self.hand_over(block, canvas, Image.fromarray(to_bytes(block.reference).numpy()))
        block.height, block.width, block.num_frames = height, 2 * width, window.frames
        self.set_block_state(state, block)
        return components, state


class HunyuanCanvasEncode(_CanvasEncode):
    """The canvas for HunyuanVideo-1.5."""

    model_name = "hunyuan-video-1.5"
    vae, empty = AutoencoderKLHunyuanVideo15, "latents"

    @property
    def intermediate_outputs(self) -> list[OutputParam]:
        return [OutputParam("canvas", type_hint=Condition), OutputParam("image", type_hint=Image.Image), *_SIZES]

    def hand_over(self, block: Any, canvas: Condition, picture: Image.Image) -> None:
        block.canvas, block.image = canvas, picture


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


class WanCanvasEncode(_CanvasEncode):
    """The canvas for Wan: condition latents with the mask in front."""

    model_name = "wan"
    vae, empty = AutoencoderKLWan, "pixels"

    @property
    def intermediate_outputs(self) -> list[OutputParam]:
        return [OutputParam("image_condition_latents"), OutputParam("resized_image", type_hint=Image.Image), *_SIZES]

    def hand_over(self, block: Any, canvas: Condition, picture: Image.Image) -> None:
        folded = fold_by_frames(canvas)
        block.image_condition_latents = torch.cat([folded.mask, folded.latents], dim=1)
        block.resized_image = picture


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
