"""The command line: what is asked reaches the recipe as it was asked, and failures come out as one sentence."""

from __future__ import annotations

import sys
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from diptych import cli
from diptych.options import (
    AnimateJobsOptions,
    AnimateOptions,
    BenchPuppetsOptions,
    DataCheckOptions,
    DataLookOptions,
    JudgeOptions,
    JudgeReportOptions,
    KeepOptions,
    PlanOptions,
    PrepareOptions,
    PrepareReportOptions,
    PuppetsRenderOptions,
    PuppetsSheetOptions,
    ReviewExportOptions,
    ReviewOptions,
    ServeOptions,
    SynthOptions,
    TrainMiniOptions,
    TrainStageOptions,
    WordsOptions,
)
from diptych.types import InputError

RECIPES = {
    "animate": ["animate_files"],
    "mini": ["train_mini"],
    "bench": ["bench_puppets"],
    "plan": ["plan"],
    "stages": ["train_pose", "train_rgb"],
    "jobs": ["animate_jobs"],
    "prepare": ["prepare_footage", "prepare_report"],
    "data": ["data_check", "data_look"],
    "judge": ["judge_pairs", "judge_report"],
    "synth": ["synth_pairs"],
    "keep": ["keep_pairs"],
    "puppets": ["puppets_sheet", "puppets_render", "puppets_verify"],
    "review": ["export_review"],
}
FACES = {"review": ["serve_review"], "app": ["serve"]}


class Asked(list[tuple[str, Any]]):
    """Calls of recipes, in order, as (name, options); raises ``failure`` in each if there is one."""

    failure: BaseException | None = None


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    calls = Asked()

    def recipe(name: str) -> Any:
        def run(*options: Any) -> None:
            calls.append((name, *options))
            if calls.failure is not None:
                raise calls.failure

        return run

    for package, modules in (("recipes", RECIPES), ("web", FACES)):
        for module, names in modules.items():
            room = ModuleType(f"diptych.{package}.{module}")
            for name in names:
                setattr(room, name, recipe(name))
            monkeypatch.setitem(sys.modules, room.__name__, room)
    return calls


MOST = [
    (
        "animate cup.png dance.mp4 -o out.mp4 --preview p.mp4 --preview-height 96 --prompt cup --seed 7 --steps 9 "
        "--guidance-scale 2.5 "
        "--windows continue --lead-in keep --size 320x240 --fit fill --background #20c040 --fps 29.97 --start 1:02.5 "
        "--end 90 --mark mine "
        "--model folder --threads 2 --dry-run --quiet",
        "animate_files",
        AnimateOptions(
            reference=Path("cup.png"),
            driving=Path("dance.mp4"),
            output=Path("out.mp4"),
            preview=Path("p.mp4"),
            preview_height=96,
            prompt="cup",
            seed=7,
            steps=9,
            guidance_scale=2.5,
            windows="continue",
            lead_in="keep",
            size=(320, 240),
            fit="fill",
            background=(0x20, 0xC0, 0x40),
            fps=Fraction(30000, 1001),
            start=Fraction(125, 2),
            end=Fraction(90),
            mark="mine",
            model="folder",
            threads=2,
            dry_run=True,
            quiet=True,
        ),
    ),
    (
        "animate cup.png dance.mp4 -o out.mp4 --backbone wan --weights some/where --revision v2 --adapter mine "
        "--lora fast.safetensors --lora style=0.5 --panel-area 4096 --window 17 "
        "--step-cache taylor --offload leaf --storage fp8 --vae-tiling --memory auto --compile "
        "--attention flash",
        "animate_files",
        AnimateOptions(
            reference=Path("cup.png"),
            driving=Path("dance.mp4"),
            output=Path("out.mp4"),
            backbone="wan",
            weights="some/where",
            revision="v2",
            adapter=Path("mine"),
            loras=((Path("fast.safetensors"), 1.0), (Path("style"), 0.5)),
            panel_area=4096,
            window=17,
            step_cache="taylor",
            offload="leaf",
            storage="fp8",
            vae_tiling=True,
            memory="auto",
            compile=True,
            attention="flash",
        ),
    ),
    (
        "animate cup.png dance.mp4 -o out.mp4 --motion pose --poses p.json --pose-weights a --detector-weights b "
        "--animal-weights c --pose-fit box --depth-weights d --describe --endpoint http://localhost:1/v1 --mllm m",
        "animate_files",
        AnimateOptions(
            reference=Path("cup.png"),
            driving=Path("dance.mp4"),
            output=Path("out.mp4"),
            motion="pose",
            poses=Path("p.json"),
            pose_weights="a",
            detector_weights="b",
            animal_weights="c",
            pose_fit="box",
            depth_weights="d",
            describe=True,
            words=WordsOptions(endpoint="http://localhost:1/v1", model="m"),
        ),
    ),
    (
        "plan --backbone wan --release wan2.1 --weights there --revision v2 --size 64x96 832x480 --window 33 --steps 8 "
        "--guidance-scale 1 --card 16 24.5 --main-memory 32 --train --processes 2 4 --json p.json",
        "plan",
        PlanOptions(
            backbone="wan",
            release="wan2.1",
            weights="there",
            revision="v2",
            sizes=((64, 96), (832, 480)),
            window=33,
            steps=8,
            guidance_scale=1,
            cards=(16, 24.5),
            main_memory=32,
            train=True,
            processes=(2, 4),
            json=Path("p.json"),
        ),
    ),
    (
        "train mini --size tiny --preset base -o run --stage vae --seed 3 --minutes 1.5 --threads 1 "
        "--set a=1 b.c=x=y --set d= --dry-run",
        "train_mini",
        TrainMiniOptions(
            size="tiny",
            preset="base",
            output=Path("run"),
            stage="vae",
            seed=3,
            minutes=1.5,
            threads=1,
            overrides=(("a", "1"), ("b.c", "x=y"), ("d", "")),
            dry_run=True,
        ),
    ),
    ("train stage1_pose --model m --data puppets", "train_pose", TrainStageOptions(weights="m")),
    (
        "train stage2_rgb --backbone wan --weights w --revision v2 --data kept.jsonl --warm-start pose/adapter -o run "
        "--depth-weights d --stage cache --seed 3 --minutes 1.5 --threads 1 --set contrast.weight=0.1 --dry-run",
        "train_rgb",
        TrainStageOptions(
            backbone="wan",
            weights="w",
            revision="v2",
            data="kept.jsonl",
            warm_start=Path("pose/adapter"),
            depth_weights="d",
            output=Path("run"),
            stage="cache",
            seed=3,
            minutes=1.5,
            threads=1,
            overrides=(("contrast.weight", "0.1"),),
            dry_run=True,
        ),
    ),
    (
        "bench puppets --json f.json --sheet s.png --suite first --model folder --adapter mine --steps 4 --pairs 8 "
        "--posed --pose-fit reference --scale 2",
        "bench_puppets",
        BenchPuppetsOptions(
            json=Path("f.json"),
            sheet=Path("s.png"),
            suite="first",
            model="folder",
            steps=4,
            adapter=Path("mine"),
            posed=True,
            pose_fit="reference",
            pairs=8,
            scale=2,
        ),
    ),
    (
        "puppets sheet -o s.png --seed 5 --rows 3 --split",
        "puppets_sheet",
        PuppetsSheetOptions(output=Path("s.png"), seed=5, rows=3, split=True),
    ),
    (
        "prepare in -o out --step poses --min-frames 17 --max-frames 33 --clips-per-shot 2 --max-side 640 "
        "--max-blur 0.5 --min-motion 2 --max-missing 0.1 --poses found --pose-weights a "
        "--animal-weights b --detector-weights c --endpoint http://localhost:1/v1 --mllm m "
        "--api-key-env K --max-requests 9 --latents mini --weights w --set batch=2 cached=8 "
        "--workers 4 --redo --quiet",
        "prepare_footage",
        PrepareOptions(
            footage=Path("in"),
            output=Path("out"),
            step="poses",
            min_frames=17,
            max_frames=33,
            clips_per_shot=2,
            max_side=640,
            max_blur=0.5,
            min_motion=2.0,
            max_missing=0.1,
            poses=Path("found"),
            pose_weights="a",
            animal_weights="b",
            detector_weights="c",
            words=WordsOptions(endpoint="http://localhost:1/v1", model="m", api_key_env="K", max_requests=9),
            latents="mini",
            weights="w",
            overrides=(("batch", "2"), ("cached", "8")),
            workers=4,
            redo=True,
            quiet=True,
        ),
    ),
    (
        "prepare report out -o sheets --rows 4",
        "prepare_report",
        PrepareReportOptions(Path("out"), Path("sheets"), 4),
    ),
    (
        "judge pairs --judge mllm --endpoint http://localhost:1/v1 --mllm m --api-key-env K --max-cost 2 --price-in 1 "
        "--price-out 3 --answers kept --repeats 3 --temperature 0.5 --parallel 8 --workers 2 --quiet",
        "judge_pairs",
        JudgeOptions(
            pairs=Path("pairs"),
            judge="mllm",
            words=WordsOptions(
                endpoint="http://localhost:1/v1",
                model="m",
                api_key_env="K",
                max_cost=2.0,
                price_in=1.0,
                price_out=3.0,
                cache=Path("kept"),
            ),
            repeats=3,
            temperature=0.5,
            parallel=8,
            workers=2,
            quiet=True,
        ),
    ),
    ("judge report pairs", "judge_report", JudgeReportOptions(Path("pairs"))),
    ("data check m.jsonl --quick", "data_check", DataCheckOptions(Path("m.jsonl"), True)),
    (
        "data look m.jsonl -o look.png --id a --draws 2 --seed 3",
        "data_look",
        DataLookOptions(Path("m.jsonl"), Path("look.png"), "a", 2, 3),
    ),
    (
        "puppets render -o clips --count 2 --seed 5 --fps 12 --frames 17 --size 96",
        "puppets_render",
        PuppetsRenderOptions(output=Path("clips"), count=2, seed=5, fps=12, frames=17, size=96),
    ),
    (
        "review pairs --reviewer ann ben --reviewer cem --kind scripted --wanted 2 --host 0.0.0.0 --port 0 "
        "--token sixteen_letters-x",
        "serve_review",
        ReviewOptions(Path("pairs"), ("ann", "ben", "cem"), "scripted", 2, "0.0.0.0", 0, "sixteen_letters-x"),
    ),
    ("review export pairs -o v.jsonl", "export_review", ReviewExportOptions(Path("pairs"), Path("v.jsonl"))),
    (
        "synth data --references others -o pairs --seed 3 --per-clip 2 --limit 9 --retry --model m --adapter pose "
        "--steps 4 --guidance-scale 1 --pose-fit reference --pose-weights --endpoint http://localhost:1/v1 --mllm m "
        "--workers 2 --ray --quiet",
        "synth_pairs",
        SynthOptions(
            dataset="data",
            output=Path("pairs"),
            references=Path("others"),
            seed=3,
            per_clip=2,
            limit=9,
            retry=True,
            model="m",
            adapter=Path("pose"),
            steps=4,
            guidance_scale=1,
            pose_fit="reference",
            pose_weights="published",
            words=WordsOptions(endpoint="http://localhost:1/v1", model="m"),
            workers=2,
            ray=True,
            quiet=True,
        ),
    ),
    (
        "synth data --references others -o pairs --backbone wan --weights w --revision v2 --panel-area 4096 "
        "--window 33 --lora a.safetensors=0.5 --step-cache taylor --offload leaf --storage int8 --vae-tiling "
        "--memory auto --compile --attention flash",
        "synth_pairs",
        SynthOptions(
            dataset="data",
            output=Path("pairs"),
            references=Path("others"),
            backbone="wan",
            weights="w",
            revision="v2",
            panel_area=4096,
            window=33,
            loras=((Path("a.safetensors"), 0.5),),
            step_cache="taylor",
            offload="leaf",
            storage="int8",
            vae_tiling=True,
            memory="auto",
            compile=True,
            attention="flash",
        ),
    ),
    (
        "synth puppets -o pairs --limit 9 --make truth --undriven",
        "synth_pairs",
        SynthOptions(dataset="puppets", output=Path("pairs"), limit=9, make="truth", undriven=True),
    ),
    (
        "keep pairs -o pairs/k.jsonl --judge truth --threshold 20 --no-review --reviewers human scripted",
        "keep_pairs",
        KeepOptions(
            Path("pairs"),
            Path("pairs/k.jsonl"),
            judge="truth",
            threshold=20,
            review=False,
            reviewers=("human", "scripted"),
        ),
    ),
    ("keep pairs --percentile 30", "keep_pairs", KeepOptions(Path("pairs"), percentile=30)),
    (
        "serve --host 0.0.0.0 --port 80 --token 0123456789abcdef --folder runs --devices 0 1 cpu --max-video 64 "
        "--max-picture 4 --review pairs --reviewer ann ben --pose-weights a --detector-weights b --animal-weights c "
        "--backbone wan --adapter mine",
        "serve",
        ServeOptions(
            common=AnimateOptions(
                reference=Path(),
                driving=Path(),
                output=Path(),
                pose_weights="a",
                detector_weights="b",
                animal_weights="c",
                backbone="wan",
                adapter=Path("mine"),
            ),
            host="0.0.0.0",
            port=80,
            token="0123456789abcdef",
            folder=Path("runs"),
            devices=("0", "1", "cpu"),
            max_video=64,
            max_picture=4,
            review=Path("pairs"),
            reviewers=("ann", "ben"),
        ),
    ),
]

LEAST = [
    ("animate a b -o c", "animate_files", AnimateOptions(Path("a"), Path("b"), Path("c"))),
    ("plan --backbone motif", "plan", PlanOptions("motif")),
    ("train mini", "train_mini", TrainMiniOptions()),
    ("train stage2_rgb --data puppets", "train_rgb", TrainStageOptions()),
    ("bench puppets", "bench_puppets", BenchPuppetsOptions()),
    ("prepare a -o b", "prepare_footage", PrepareOptions(Path("a"), Path("b"))),
    ("prepare report a", "prepare_report", PrepareReportOptions(Path("a"))),
    ("judge a", "judge_pairs", JudgeOptions(Path("a"))),
    ("data check a", "data_check", DataCheckOptions(Path("a"))),
    ("data look a -o a.png", "data_look", DataLookOptions(Path("a"), Path("a.png"))),
    ("puppets sheet", "puppets_sheet", PuppetsSheetOptions()),
    ("review a", "serve_review", ReviewOptions(Path("a"))),
    ("review export a", "export_review", ReviewExportOptions(Path("a"))),
    ("puppets render -o d", "puppets_render", PuppetsRenderOptions(Path("d"))),
    ("synth a --references b -o c", "synth_pairs", SynthOptions("a", Path("c"), Path("b"))),
    ("keep a", "keep_pairs", KeepOptions(Path("a"))),
    ("serve", "serve", ServeOptions(AnimateOptions(Path(), Path(), Path()))),
]


@pytest.mark.parametrize(("line", "recipe", "options"), MOST + LEAST)
def test_what_is_asked_reaches_the_recipe(asked: Asked, line: str, recipe: str, options: object) -> None:
    assert cli.main(line.split()) == 0
    assert asked == [(recipe, options)]


@pytest.mark.parametrize(("recipe", "plain"), [(recipe, plain) for _, recipe, plain in LEAST])
def test_every_field_of_the_options_can_be_set_from_the_command_line(recipe: str, plain: Any) -> None:
    asked = [options for _, name, options in MOST if name == recipe]
    untouched = [f.name for f in fields(plain) if all(getattr(o, f.name) == getattr(plain, f.name) for o in asked)]
    assert untouched == []


def test_a_recipe_without_options_is_called_without(asked: Asked) -> None:
    assert cli.main(["puppets", "verify"]) == 0
    assert asked == [("puppets_verify",)]


def test_one_size_is_one_number(asked: Asked) -> None:
    cli.main(["animate", "a", "b", "-o", "c", "--size", "512"])
    assert asked[0][1].size == 512


def test_many_jobs_take_the_other_settings_and_their_count_of_failures_is_the_exit_code(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["animate", "--jobs", "list.jsonl", "-o", "results", "--steps", "3"]) == 0
    name, options = asked[0]
    assert name == "animate_jobs"
    assert isinstance(options, AnimateJobsOptions)
    assert (options.jobs, options.output, options.common.steps) == (Path("list.jsonl"), Path("results"), 3)
    monkeypatch.setattr(sys.modules["diptych.recipes.jobs"], "animate_jobs", lambda options: 104)
    assert cli.main(["animate", "--jobs", "list.jsonl", "-o", "results"]) == 104


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--fps", "24"], Fraction(24)),
        (["--fps", "23.976"], Fraction(24000, 1001)),
        (["--fps", "23.98"], Fraction(24000, 1001)),
        (["--fps", "59.94"], Fraction(60000, 1001)),
        (["--fps", "12.5"], Fraction(25, 2)),
        (["--fps", "30000/1001"], Fraction(30000, 1001)),
        (["--start", "7"], Fraction(7)),
        (["--start", "0.125"], Fraction(1, 8)),
        (["--start", "2:03"], Fraction(123)),
        (["--end", "1:00:00.001"], Fraction(3600001, 1000)),
        (["--background", "grey"], (128, 128, 128)),
        (["--background", "FF8000"], (255, 128, 0)),
        (["--mark"], cli.MARK),
    ],
)
def test_times_rates_and_colours_are_read_exactly(asked: Asked, words: list[str], value: object) -> None:
    assert cli.main(["animate", "a", "b", "-o", "c", *words]) == 0
    assert getattr(asked[0][1], words[0].removeprefix("--")) == value


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "required: COMMAND"),
        ("animate -o c", "REF and DRIVE are needed"),
        ("animate a -o c", "REF and DRIVE are needed"),
        ("animate a b --jobs j -o c", "leave REF and DRIVE out"),
        ("animate --jobs j -o c --preview p.mp4", "--preview is for one result"),
        ("animate a b -o c --backbone wan --model m", "--model is for the mini"),
        ("animate a b -o c --backbone wam", "did you mean wan?"),
        ("animate a b -o c --lora style=much", "'style=much' is not PATH or PATH=NUMBER"),
        ("animate a b -o c --start 5 --end 4", "--end 4 is not after --start 5"),
        ("animate a b -o c --start -1", "'-1' is not a time"),
        ("animate a b -o c --fps 0", "'0' is not a frame rate"),
        ("animate a b -o c --fps 1/0", "'1/0' is not a frame rate"),
        ("animate a b -o c --background pinkish", "'pinkish' is not a colour"),
        ("animate a b -o c --fit fil", "did you mean fill?"),
        ("animte a b -o c", "did you mean animate?"),
        ("train minni", "did you mean mini?"),
        ("animate a b", "required: -o/--output"),
        ("animate a b -o c --sedd 3", "did you mean --seed?"),
        ("animate a b -o c --guidance_scale=3", "did you mean --guidance-scale?"),
        ("animate a b -o c --see 3", "did you mean --seed?"),  # no abbreviations
        ("train mini --dryrun", "did you mean --dry-run?"),
        ("animate a b -o c d", "unknown: d"),
        ("animate a b -o c --lead-in kep", "did you mean keep?"),
        ("animate a b -o c --seed -1", "'-1' is not a whole number from 0 up"),
        ("animate a b -o c --steps 0", "'0' is not a whole number from 1 up"),
        ("animate a b -o c --steps many", "'many' is not a whole number"),
        ("animate a b -o c --guidance-scale nan", "'nan' is not a number"),
        ("animate a b -o c --size 320x", "'320x' is neither"),
        ("animate a b -o c --size 0x10", "'0x10' is neither"),
        ("train mini --minutes 0", "'0' is not above zero"),
        ("review a b", "or export PAIRS; not a and b"),
        ("review a --token short", "a token has at least 16"),
        ("review a --port 70000", "'70000' is not a port"),
        ("review a -o b", "-o FILE goes with export"),
        ("train mini --set lr", "'lr' is not KEY=VALUE"),
        ("train mini --set =1", "'=1' is not KEY=VALUE"),
        ("animate a b -o c --preview p.mp4 --preview-height 97", "'97' is not even"),
        ("serve --port 70000", "'70000' is not a port"),
        ("serve --token short", "a token has at least 16"),
        ("serve --devices cuda", "'cuda' is neither the number of a card nor cpu"),
        ("serve --backbone wan --model m", "--model is for the mini"),
    ],
)
def test_bad_usage_is_told_in_a_line_and_exits_with_2(
    asked: Asked, capsys: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(line.split())
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err.splitlines()[0]
    assert len(err.splitlines()) == 2
    assert asked == []


def test_bad_input_is_one_sentence_and_exits_with_2(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    asked.failure = InputError("a.png is not a picture; hand in a PNG or JPEG file.")
    assert cli.main(["animate", "a.png", "b", "-o", "c"]) == 2
    assert capsys.readouterr().err == "diptych: a.png is not a picture; hand in a PNG or JPEG file.\n"


def test_a_failure_exits_with_1_and_hides_its_traceback(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    asked.failure = RuntimeError("two\nlines")
    assert cli.main(["bench", "puppets"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("diptych: RuntimeError: two lines\n")
    assert "--debug" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("line", ["--debug bench puppets", "bench puppets --debug"])
def test_debug_shows_the_traceback(asked: Asked, capsys: pytest.CaptureFixture[str], line: str) -> None:
    asked.failure = RuntimeError("broken")
    assert cli.main(line.split()) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1] == "diptych: RuntimeError: broken"


def test_the_keyboard_stops_with_130(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    asked.failure = KeyboardInterrupt()
    assert cli.main(["train", "mini"]) == 130
    assert "stopped from the keyboard" in capsys.readouterr().err


@pytest.mark.parametrize("room", [ModuleType("diptych.recipes.bench"), None])
def test_a_recipe_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], room: ModuleType | None
) -> None:
    monkeypatch.setitem(sys.modules, "diptych.recipes.bench", room)
    assert cli.main(["bench", "puppets"]) == 1
    assert "recipes.bench.bench_puppets is missing" in capsys.readouterr().err


def test_version_and_help_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--version"], ["--help"]):
        with pytest.raises(SystemExit) as end:
            cli.main(words)
        assert end.value.code == 0
        out, err = capsys.readouterr()
        assert "diptych" in out
        assert err == ""


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("synth a -o c", "--references DIR is needed"),
        ("synth puppets -o c", "say --limit N"),
        ("synth puppets -o c --limit 2 --references b", "leave --references and --per-clip out"),
        ("synth puppets -o c --limit 2 --per-clip 2", "leave --references and --per-clip out"),
        ("synth a --references b -o c --make truth", "--make truth is for puppets"),
        ("synth puppets -o c --limit 2 --undriven", "--undriven goes with --make truth"),
        ("synth a --references b -o c --backbone wan --model m", "--model is for the mini"),
        ("synth a --references b -o c --endpoint http://a", "--mllm NAME"),
        ("keep a --percentile 101", "is more than all"),
        ("keep a --percentile 50 --threshold 4", "not allowed with"),
        ("keep a --judge truth", "scores in decibels"),
        ("keep a --reviewers me", "invalid choice"),
    ],
)
def test_what_making_and_keeping_pairs_cannot_mean_is_said(asked: Asked, capsys: Any, line: str, says: str) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(line.split())
    assert end.value.code == 2
    assert says in " ".join(capsys.readouterr().err.split())
    assert asked == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("prepare in", "-o DATASET is needed"),
        ("prepare in other -o out", "one FOLDER at a time"),
        ("prepare in -o out --min-frames 200", "--min-frames 200 is more than --max-frames 121"),
        ("prepare in -o out --endpoint http://a", "--mllm NAME"),
        ("prepare in -o out --step latents", "--latents BACKBONE"),
        ("prepare in -o out --animal-weights a", "go with --pose-weights"),
        ("prepare in -o out --max-blur 1.5", "not from 0 to 1"),
    ],
)
def test_what_prepare_cannot_mean_is_said(asked: Asked, capsys: Any, line: str, says: str) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(line.split())
    assert end.value.code == 2
    assert says in " ".join(capsys.readouterr().err.split())
    assert asked == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("judge a b", "one PAIRS folder at a time"),
        ("judge a --judge mllm", "needs --endpoint URL"),
        ("judge a --endpoint http://a --mllm m", "goes with --judge mllm"),
        ("judge a --judge mllm --endpoint http://a", "--mllm NAME"),
        ("judge a --judge mlm", "did you mean mllm?"),
        ("judge a --temperature -1", "below zero"),
    ],
)
def test_what_judge_cannot_mean_is_said(asked: Asked, capsys: Any, line: str, says: str) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(line.split())
    assert end.value.code == 2
    assert says in " ".join(capsys.readouterr().err.split())
    assert asked == []
