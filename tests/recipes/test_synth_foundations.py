"""``diptych synth`` by a foundation backbone in the real format, with what makes a large one fit a card."""

import json
from dataclasses import replace

import pytest

from diptych.data.manifest import read_manifest
from diptych.media.video import read_clip
from diptych.models.adapters import LoraSettings, add_adapter, save_adapter
from diptych.models.load import load_backbone
from diptych.options import SynthOptions
from diptych.recipes.synth import synth_pairs
from diptych.types import InputError
from pair_material import write_dataset, write_pictures

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def material(tmp_path_factory, checkpoint):
    """Posed footage, pictures of others, and an adapter that is driven by skeletons and has learned nothing."""
    folder = tmp_path_factory.mktemp("material")
    write_dataset(folder / "data", 2)
    write_pictures(folder / "pictures", 3)
    backbone = load_backbone("wan", str(checkpoint("wan2.1")), panel_area=32 * 32, window_frames=9)
    contract = replace(backbone.contract, motion="pose")
    for network in backbone.networks:
        add_adapter(network, backbone.facts.feed_forward, LoraSettings(rank=4))
    save_adapter(folder / "pose", backbone.networks, contract)
    return folder


@pytest.fixture
def options(material, checkpoint, tmp_path):
    return SynthOptions(
        dataset=str(material / "data"),
        output=tmp_path / "pairs",
        references=material / "pictures",
        backbone="wan",
        weights=str(checkpoint("wan2.1")),
        adapter=material / "pose",
        steps=2,
        quiet=True,
    )


def made_by(pairs):
    return json.loads((pairs / "run.json").read_text())["settings"]["model"]


def test_pairs_are_made_and_their_model_is_known(options):
    assert synth_pairs(options) == 0
    entries = read_manifest(options.output / "pairs.jsonl", check_files=True)
    assert len(entries) == 2
    for entry in entries:
        made, footage = (read_clip(options.output / path) for path in (entry.driving, entry.target))
        assert len(made.frames) == len(footage.frames) == entry.frames
        assert made.frames.std() > 1
    assert made_by(options.output)["contract"]["motion"] == "pose"


def test_what_saves_memory_or_time_is_one_of_the_settings_where_it_changes_the_result(options):
    saving = replace(options, limit=1, step_cache="first-block", vae_tiling=True, offload="leaf", memory="auto")
    assert synth_pairs(saving) == 0
    made = made_by(options.output)
    assert (made["step_cache"], made["vae_tiling"]) == ("first-block", True)
    assert "offload" not in made  # the same numbers, later
    with pytest.raises(InputError, match=r'model.step_cache = "first-block", not null'):
        synth_pairs(replace(saving, step_cache=None))


def test_a_lora_that_is_missing_is_named_before_anything_is_written(options, tmp_path):
    with pytest.raises(InputError, match=r"nothing\.safetensors does not exist"):
        synth_pairs(replace(options, loras=((tmp_path / "nothing.safetensors", 1.0),)))
    assert not (options.output / "pairs.jsonl").exists()
