"""What each command asks of its recipe: plain frozen data, filled by the command line, by a page or by hand.

Nothing here imports more than the standard library, so that reading the command line costs nothing. ``None`` means
"the recipe decides", never "off".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

LeadIn = Literal["cut", "keep"]
Fit = Literal["fit", "fill", "stretch"]
PoseFit = Literal["raw", "box", "reference"]
Colour = tuple[int, int, int]
BackboneName = Literal["mini", "hunyuan15", "wan", "motif"]
MiniSize = Literal["tiny", "cpu", "gpu"]
PrepareStep = Literal["all", "clips", "poses", "captions", "latents"]
MiniPreset = Literal["canvas", "base"]
MiniStage = Literal["all", "locator", "vae", "cache", "sight", "denoiser"]
ReviewerKind = Literal["human", "scripted"]


@dataclass(frozen=True)
class WordsOptions:
    """Who puts motion and looks into words: rules, offline, or a multimodal model where an endpoint is named.

    Attributes:
        endpoint: address of a service that speaks OpenAI's chat protocol, up to and without ``/chat/completions``.
        model: as the endpoint names it.
        api_key_env: environment variable that holds the key. The name, never the key itself.
        requests_per_minute: to the endpoint, > 0.
        max_requests: to the endpoint in all, >= 1.
        max_cost: in the currency of the prices, > 0; needs both of them.
        price_in: of a million tokens sent, >= 0.
        price_out: of a million tokens received, >= 0.
        cache: folder of answers; one of the user's caches where nothing is said.
    """

    endpoint: str | None = None
    model: str | None = None
    api_key_env: str | None = None
    requests_per_minute: float | None = None
    max_requests: int | None = None
    max_cost: float | None = None
    price_in: float | None = None
    price_out: float | None = None
    cache: Path | None = None


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model with what on it, loaded and sampled how: the same for all commands that make videos.

    Attributes:
        model: name of a bundled model, or a folder that holds one.
        backbone: what kind of model it is.
        weights: folder or repository of a foundation backbone; its makers' own where nothing is said.
        revision: of a repository: a commit, a tag or a branch.
        adapter: file or folder of an adapter on a foundation backbone.
        loras: files of further LoRA and how much each counts.
        panel_area: pixels of a panel, for foundation backbones, >= 16.
        window: canvas frames of a window, for foundation backbones, 1 + 4k.
        steps: denoising steps, >= 1.
        guidance_scale: how strongly the prompt is followed; 1 is no guidance.
        step_cache: how steps of a foundation backbone are skipped or extrapolated.
        offload: in what portions its weights wait in main memory.
        storage: in which 8 bits its weights are kept.
        vae_tiling: whether its VAE works on tiles.
        memory: ``auto`` adds what makes it fit the card, or says what size would.
        compile: whether its blocks are compiled.
        attention: which of diffusers' attention back-ends it uses.
    """

    model: str = "mini"
    backbone: BackboneName = "mini"
    weights: str | None = None
    revision: str | None = None
    adapter: Path | None = None
    loras: tuple[tuple[Path, float], ...] = ()
    panel_area: int | None = None
    window: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    step_cache: Literal["first-block", "taylor"] | None = None
    offload: Literal["block", "leaf"] | None = None
    storage: Literal["fp8", "int8"] | None = None
    vae_tiling: bool = False
    memory: Literal["auto"] | None = None
    compile: bool = False
    attention: str | None = None


@dataclass(frozen=True)
class AnimateOptions(ModelOptions):
    """One picture performs the motion of one video.

    Attributes:
        reference: picture of the character.
        driving: video whose motion is wanted.
        output: mp4 file to write.
        preview: mp4 file that shows reference, driving video and result side by side, enlarged for people.
        preview_height: of it in pixels, even, >= 16; 256 where nothing is said.
        prompt: what is to be seen; an empty string is a prompt too.
        describe: whether picture and video are put into words for a prompt, where none is given.
        words: by whom.
        seed: of the noise.
        windows: whether each window goes on from the last one's end or opens anew from the picture.
        lead_in: whether the passage from the reference's pose to the driver's first is cut from the result.
        size: pixels of the result, (width, height), or its longer side.
        fit: how the result meets a size of another aspect: it lies within, it fills it and is cut, or it is stretched.
        background: RGB behind the reference's transparent pixels; white where nothing is said.
        fps: frames per second of the result, > 0; the driver's own frames and times where nothing is said.
        start: seconds into the driver at which to begin, >= 0.
        end: seconds into the driver at which to stop, > start.
        mark: words to show in a corner of every frame of the result.
        motion: what the motion panel shows: the video itself, or skeletons of who is in it; what the model was trained
            on where nothing is said.
        poses: file or folder of the video's poses, in any form that ``data/pose_formats.py`` knows.
        pose_weights: folder or repository of the network that finds joints, where no poses are given.
        detector_weights: of the network that finds figures; its makers' own where nothing is said.
        animal_weights: of the network that finds joints of animals; without one animals are not looked for.
        pose_fit: how skeletons come into their panel.
        depth_weights: folder or repository of the network that finds depth, for models that have a panel for it.
        threads: CPU threads, >= 1.
        dry_run: say what would be done, and stop.
        quiet: no progress on the terminal.
    """

    reference: Path
    driving: Path
    output: Path
    preview: Path | None = None
    preview_height: int | None = None
    prompt: str | None = None
    describe: bool = False
    words: WordsOptions = field(default_factory=WordsOptions)
    seed: int = 0
    windows: Literal["continue", "anew"] | None = None
    lead_in: LeadIn = "cut"
    size: tuple[int, int] | int | None = None
    fit: Fit = "fit"
    background: Colour | None = None
    fps: Fraction | None = None
    start: Fraction = Fraction(0)
    end: Fraction | None = None
    mark: str | None = None
    motion: Literal["rgb", "pose"] | None = None
    poses: Path | None = None
    pose_weights: str | None = None
    detector_weights: str | None = None
    animal_weights: str | None = None
    pose_fit: PoseFit = "raw"
    depth_weights: str | None = None
    threads: int | None = None
    dry_run: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class AnimateJobsOptions:
    """Many pictures and drivers, a line each.

    Attributes:
        jobs: JSON lines: ``reference``, ``driving`` and, where wanted, ``prompt``, ``seed``, ``output``.
        output: folder of the results.
        common: everything else, the same for all lines; its reference, driving and output are not looked at.
    """

    jobs: Path
    output: Path
    common: AnimateOptions


@dataclass(frozen=True)
class ServeOptions:
    """A web page on which pictures are animated.

    Attributes:
        common: the model and how it is loaded; its reference, driving and output are not looked at.
        host: name or address that is bound.
        port: likewise; 0 takes a free one.
        token: that the link holds; one is made up where others can reach the page, and asked for nowhere else.
        folder: of uploads and runs; made where it is missing.
        devices: a worker for each: the number of a card, or ``cpu``; without any one worker, where the model runs by
            itself.
        max_video: largest video that is taken, MiB.
        max_picture: largest picture, MiB.
        review: folder of self-made pairs that people may check under ``/review``, as by ``diptych review``.
        reviewers: their names, each with a link; those of before where nothing is said.
    """

    common: AnimateOptions
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    folder: Path = Path("diptych-runs")
    devices: tuple[str, ...] = ()
    max_video: int = 512
    max_picture: int = 32
    review: Path | None = None
    reviewers: tuple[str, ...] = ()


@dataclass(frozen=True)
class DescribeOptions:
    """A reference and a driver in words, and both as one prompt.

    Attributes:
        reference: picture of the character.
        driving: video whose motion is wanted.
        poses: its skeletons, in any form that ``data/pose_formats.py`` knows, for the rules; without them they say
            nothing of motion.
        words: who describes.
    """

    reference: Path
    driving: Path
    poses: Path | None = None
    words: WordsOptions = WordsOptions()


@dataclass(frozen=True)
class PlanOptions:
    """What a foundation backbone needs, on which card.

    Attributes:
        backbone: which one.
        release: of its published sizes, where no weights are named.
        weights: folder or repository whose configurations are read.
        revision: of a repository.
        sizes: width and height of panels, pixels.
        window: canvas frames of a window, 1 + 4k.
        steps: denoising steps, >= 1.
        guidance_scale: 1 makes one prediction a step, anything else two.
        cards: memory of cards, GB of a thousand million bytes.
        main_memory: the machine's, likewise.
        train: say what stage one needs instead.
        processes: numbers of cards that train together, for that.
        json: file for the figures.
    """

    backbone: Literal["hunyuan15", "wan", "motif"]
    release: str | None = None
    weights: str | None = None
    revision: str | None = None
    sizes: tuple[tuple[int, int], ...] = ((832, 480), (1280, 720))
    window: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    cards: tuple[float, ...] = (12, 24, 48, 80, 141)
    main_memory: float = 128
    train: bool = False
    processes: tuple[int, ...] = (1, 8, 64)
    json: Path | None = None


@dataclass(frozen=True)
class TrainMiniOptions:
    """The whole training of the mini, from nothing, or one stage of it.

    Attributes:
        size: the one dial: seconds for tests, hours on a CPU, or a GPU.
        preset: ``canvas`` learns canvases of exact pairs; ``base`` learns to fill in footage, as backbones are
            pre-trained, for adapters to lie on.
        output: folder of checkpoints, caches and logs; a started one is resumed.
        stage: one stage alone, or all in order.
        seed: of everything drawn at random.
        minutes: stop (resumably) after so many minutes of training, > 0.
        threads: CPU threads, >= 1.
        overrides: settings by name, as (key, value) in the order given; unknown keys are the recipe's to refuse.
        dry_run: print the resolved settings and the plan, and stop.
    """

    size: MiniSize = "cpu"
    preset: MiniPreset = "canvas"
    output: Path | None = None
    stage: MiniStage = "all"
    seed: int = 0
    minutes: float | None = None
    threads: int | None = None
    overrides: tuple[tuple[str, str], ...] = ()
    dry_run: bool = False


@dataclass(frozen=True)
class TrainStageOptions:
    """The training of an adapter on a backbone: one stage of the paper's.

    Attributes:
        backbone: which one.
        weights: folder or repository of it; of the mini a folder, or the bundled one where nothing is said.
        revision: of a repository.
        data: manifest of a dataset, or ``puppets`` for the made-up world.
        warm_start: file or folder of the adapter that it sets out from, for the second stage; None begins with nothing.
        depth_weights: folder or repository of the network that finds the drivers' depth, where a contract of the second
            stage has a panel for it.
        output: folder of checkpoints, caches and logs; a started one is resumed.
        stage: one part alone, or both in order.
        seed: of everything drawn at random.
        minutes: stop (resumably) after so many minutes, > 0.
        threads: CPU threads, >= 1.
        overrides: settings by name, as (key, value) in the order given; unknown keys are the recipe's to refuse.
        dry_run: print the resolved settings and what the data holds, and stop.
    """

    backbone: BackboneName = "mini"
    weights: str | None = None
    revision: str | None = None
    data: str = "puppets"
    warm_start: Path | None = None
    depth_weights: str | None = None
    output: Path | None = None
    stage: Literal["all", "cache", "adapter"] = "all"
    seed: int = 0
    minutes: float | None = None
    threads: int | None = None
    overrides: tuple[tuple[str, str], ...] = ()
    dry_run: bool = False


@dataclass(frozen=True)
class BenchPuppetsOptions:
    """A model measured on the frozen puppet suite.

    Attributes:
        json: file for the figures.
        sheet: picture of the best, middle and worst pairs.
        suite: name of a frozen suite.
        model: name of a bundled model, or a folder that holds one.
        adapter: file or folder of an adapter that lies on it.
        steps: denoising steps, >= 1.
        pairs: measure only the first so many pairs, >= 1.
        posed: measure only pairs whose driver has skeletons, as a model that is driven by them is measured anyway.
        pose_fit: how skeletons come into their panel.
        scale: draw the suite so many times as wide and high, >= 1.
    """

    json: Path | None = None
    sheet: Path | None = None
    suite: str | None = None
    model: str = "mini"
    adapter: Path | None = None
    steps: int | None = None
    pairs: int | None = None
    posed: bool = False
    pose_fit: PoseFit = "raw"
    scale: int = 1


@dataclass(frozen=True)
class PuppetsSheetOptions:
    """A contact sheet of the made-up world.

    Attributes:
        output: picture to write.
        seed: of the puppets shown.
        rows: puppets down the sheet, >= 1.
        split: show the identities kept for measuring apart from those for training.
    """

    output: Path = Path("puppets.png")
    seed: int = 0
    rows: int | None = None
    split: bool = False


@dataclass(frozen=True)
class PuppetsRenderOptions:
    """Clips of the made-up world with their manifest.

    Attributes:
        output: folder to write.
        count: clips, >= 1.
        seed: of the first clip.
        fps: frames per second, >= 1.
        frames: frames a clip, >= 1.
        size: pixels of a frame's side, >= 1.
    """

    output: Path
    count: int = 8
    seed: int = 0
    fps: int | None = None
    frames: int | None = None
    size: int | None = None


@dataclass(frozen=True)
class PrepareOptions:
    """Footage made into a dataset, or gone on with.

    Attributes:
        footage: folder of videos, or one video.
        output: folder of the dataset; a started one is gone on with.
        step: one step alone, or all in order.
        min_frames: shortest clip, >= 1.
        max_frames: longest clip, >= min_frames.
        clips_per_shot: most clips of one shot, >= 1.
        max_side: longer side in pixels to which larger footage is scaled, >= 16.
        max_blur: blur above which a clip is dropped, 0..1.
        min_motion: motion in levels (0..255) below which a clip is a still.
        max_missing: share of a clip's frames in which nobody may be found, 0..1.
        poses: folder with poses recorded of the footage.
        pose_weights: folder or repository of a pose estimator of people, or ``published``; without it only recorded
            poses are used.
        animal_weights: the same of four-legged animals; without it none are looked for.
        detector_weights: of the detector; the published one where nothing is said.
        words: who puts clips into words; offline, words follow from skeletons and colours. Answers are kept in the
            dataset where no folder is named.
        latents: backbone for which drawn windows are encoded, as its training would; None encodes nothing.
        weights: folder or repository of that backbone.
        overrides: settings of its training by name, as (key, value).
        workers: processes, >= 1.
        redo: do the steps anew, whatever was done before.
        quiet: show no progress.
    """

    footage: Path
    output: Path
    step: PrepareStep = "all"
    min_frames: int | None = None
    max_frames: int | None = None
    clips_per_shot: int | None = None
    max_side: int | None = None
    max_blur: float | None = None
    min_motion: float | None = None
    max_missing: float | None = None
    poses: Path | None = None
    pose_weights: str | None = None
    animal_weights: str | None = None
    detector_weights: str | None = None
    words: WordsOptions = field(default_factory=WordsOptions)
    latents: BackboneName | None = None
    weights: str | None = None
    overrides: tuple[tuple[str, str], ...] = ()
    workers: int | None = None
    redo: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class PrepareReportOptions:
    """What a dataset is made of and what was left out.

    Attributes:
        dataset: folder that ``prepare`` wrote.
        output: folder for the contact sheets.
        rows: clips on a sheet, >= 1.
    """

    dataset: Path
    output: Path | None = None
    rows: int | None = None


@dataclass(frozen=True)
class DataCheckOptions:
    """Everything that is wrong with a manifest.

    Attributes:
        manifest: JSON lines, a clip a line.
        quick: do not decode the videos.
    """

    manifest: Path
    quick: bool = False


@dataclass(frozen=True)
class DataLookOptions:
    """A clip of a manifest drawn with its skeletons, raw and augmented.

    Attributes:
        manifest: JSON lines, a clip a line.
        output: picture to write.
        id: of the clip; the first that has poses where nothing is said.
        draws: augmentations shown, >= 1.
        seed: of the first augmentation.
    """

    manifest: Path
    output: Path
    id: str | None = None
    draws: int = 4
    seed: int = 0


@dataclass(frozen=True)
class JudgeOptions:
    """Scores for self-made pairs.

    Attributes:
        pairs: folder that ``synth`` made.
        judge: ``measured`` works offline, ``mllm`` asks a model at an endpoint, as the paper does.
        words: which endpoint and model, with its limits. Answers are kept with the pairs where no folder is named.
        repeats: how often a model is asked each question, >= 1.
        temperature: of the model's sampling, >= 0.
        parallel: pairs that a model is asked about at a time, >= 1.
        workers: processes that measure, >= 1.
        quiet: show no progress.
    """

    pairs: Path
    judge: Literal["measured", "mllm"] = "measured"
    words: WordsOptions = field(default_factory=WordsOptions)
    repeats: int | None = None
    temperature: float | None = None
    parallel: int | None = None
    workers: int | None = None
    quiet: bool = False


@dataclass(frozen=True)
class JudgeReportOptions:
    """What judges think of a folder of pairs, and whether they agree.

    Attributes:
        pairs: folder that was judged.
    """

    pairs: Path


@dataclass(frozen=True)
class ReviewOptions:
    """People look at self-made pairs, in their browsers.

    Attributes:
        pairs: folder that ``synth`` wrote.
        reviewers: their names, each with a link; those of before where nothing is said.
        kind: of these reviewers. Verdicts of scripts never count as people's.
        wanted: verdicts on every pair, >= 1.
        host: name or address to serve on.
        port: to serve on; 0 takes a free one.
        token: of the overview's link; the one of before, or a new one, where nothing is said.
    """

    pairs: Path
    reviewers: tuple[str, ...] = ()
    kind: ReviewerKind = "human"
    wanted: int = 1
    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = None


@dataclass(frozen=True)
class ReviewExportOptions:
    """The verdicts that stand, as JSON lines.

    Attributes:
        pairs: folder that was reviewed.
        output: file to write; standard output where nothing is said.
    """

    pairs: Path
    output: Path | None = None


@dataclass(frozen=True)
class SynthOptions(ModelOptions):
    """Pairs made by the pose model, which wants the adapter of stage one, or gone on with.

    Attributes:
        dataset: folder or manifest that ``prepare`` made, or ``puppets`` for the made-up world.
        output: folder of the pairs; a started one is gone on with, one that is being made joined.
        references: folder of pictures, for a dataset.
        make: ``model`` lets the pose model make the videos, ``truth`` takes what is exactly right, where that is known.
        undriven: with ``truth``, also drivers that have no skeletons.
        seed: of the choice of references and of the noise; of the made-up world also the first pair.
        per_clip: pairs of a clip, each with another reference, >= 1.
        limit: at most so many pairs, >= 1; the made-up world has no end and needs one.
        pose_fit: how skeletons come into their panel.
        pose_weights: of a pose estimator that looks at the references, or ``published``.
        words: who puts references into words, and both into one prompt.
        workers: processes, or with ``ray`` actors, >= 1.
        ray: make them by Ray Data.
        retry: try again what failed before.
        quiet: show no progress.
    """

    dataset: str
    output: Path
    references: Path | None = None
    make: Literal["model", "truth"] = "model"
    undriven: bool = False
    seed: int = 0
    per_clip: int = 1
    limit: int | None = None
    pose_fit: PoseFit = "raw"
    pose_weights: str | None = None
    words: WordsOptions = field(default_factory=WordsOptions)
    workers: int = 1
    ray: bool = False
    retry: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class KeepOptions:
    """Which self-made pairs are trained on.

    Attributes:
        pairs: folder of them.
        output: manifest to write, in that folder.
        judge: whose scores count; the only one's where nothing is said. ``truth`` compares with what is exactly right.
        threshold: the average must lie above it; the paper's where nothing is said.
        percentile: keep so many of a hundred instead, the best.
        review: whether a pair needs a verdict.
        reviewers: kinds of reviewers whose verdicts count.
    """

    pairs: Path
    output: Path | None = None
    judge: str | None = None
    threshold: float | None = None
    percentile: float | None = None
    review: bool = True
    reviewers: tuple[str, ...] = ("human",)


def seconds_in(text: str) -> Fraction:
    """Seconds, or minutes and hours before them with colons, to the millisecond.

    Raises:
        ValueError: with what is wrong, for whoever wrote it.
    """
    match = re.fullmatch(r"(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,6})(?:\.(\d{1,3}))?", text)
    if match is None:
        raise ValueError(f"{text!r} is not a time, as 12.5 or 1:02:03")
    hours, minutes, seconds = (int(part or 0) for part in match.group(1, 2, 3))
    return Fraction(3600 * hours + 60 * minutes + seconds) + Fraction(int((match[4] or "0").ljust(3, "0")), 1000)


def rate_in(text: str) -> Fraction:
    """Frames per second; 23.976, 29.97 and 59.94 mean what television means by them.

    Raises:
        ValueError: with what is wrong, for whoever wrote it.
    """
    match = re.fullmatch(r"(\d{1,6})(?:\.(\d{1,3}))?|(\d{1,7})/(\d{1,5})", text)
    rate = Fraction(0)
    if match is not None and match[3] is None:
        rate = Fraction(text)
        for exact in (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)):
            rate = exact if rate in (round(exact, 2), round(exact, 3)) else rate
    elif match is not None and int(match[4]):
        rate = Fraction(text)
    if not Fraction(1, 60) <= rate <= 1000:
        raise ValueError(f"{text!r} is not a frame rate, as 24, 29.97 or 30000/1001")
    return rate
