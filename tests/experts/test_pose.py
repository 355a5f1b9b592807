"""The estimator on small random checkpoints in the real format, and what stands between pictures and heat maps."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from diptych.experts.pose import PoseEstimator, Weights, crop, decode, padded
from diptych.experts.vitpose_heads import convert, write_folder
from diptych.method.skeleton import QUADRUPED, WHOLEBODY
from diptych.method.tracking import link
from diptych.types import InputError

COCO = ("person", "bicycle", "cat", "dog", "chair")


def detector(folder: Path, *, version: int = 1, names: tuple[str, ...] = COCO) -> Path:
    import transformers

    torch.manual_seed(0)
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 16, 24], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    sizes = {
        "backbone_config": backbone, "encoder_in_channels": [16, 16, 24], "encoder_hidden_dim": 16, "d_model": 16,
        "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "decoder_layers": 2, "encoder_layers": 1, "num_queries": 12,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "decoder_in_channels": [16, 16, 16],
        "num_denoising": 0, "id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)},
    }  # fmt: skip
    kind = "" if version == 1 else "V2"
    config = getattr(transformers, f"RTDetr{kind}Config")(**sizes)
    network = getattr(transformers, f"RTDetr{kind}ForObjectDetection")(config)
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if "class_embed" in name or "score_head" in name:  # so that every query is sure of some class
                tensor.normal_(0, 1.0)
                if name.endswith("bias"):
                    tensor.copy_(torch.tensor([2.0, -9.0, 1.9, 0.0, -9.0])[: len(names)])
    network.save_pretrained(folder)
    return folder


def vitpose(folder: Path, joints: int, *, experts: int = 1, names: tuple[str, ...] | None = None) -> Path:
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

    torch.manual_seed(1)
    backbone = VitPoseBackboneConfig(
        image_size=[64, 48], patch_size=[16, 16], hidden_size=24, num_hidden_layers=2, num_attention_heads=2,
        out_indices=[2], num_experts=experts, part_features=8,
    )  # fmt: skip
    labels = {"num_labels": joints} if names is None else {"id2label": dict(enumerate(names))}
    network = VitPoseForPoseEstimation(VitPoseConfig(backbone_config=backbone, use_simple_decoder=False, **labels))
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.normal_(0, 0.2)
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pose")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "detector": detector(root / "detector"),
            "detector2": detector(root / "detector2", version=2),
            "whole": vitpose(root / "whole", 133, experts=6, names=WHOLEBODY.joints),
            "body": vitpose(root / "body", 17, names=WHOLEBODY.joints[:17]),
            "plain": vitpose(root / "plain", 133),
            "animal": vitpose(root / "animal", 17, experts=6, names=QUADRUPED.joints),
        }


def estimator(
    folders: dict[str, Path], people: str = "whole", animals: str | None = "animal", **options
) -> PoseEstimator:
    found = options.pop("detector", "detector")
    return PoseEstimator(
        Weights(str(folders[people])),
        None if animals is None else Weights(str(folders[animals])),
        Weights(str(folders[found])),
        **{"detector_side": 64, "threshold": 0.3, **options},
    )


def frames(count: int = 4, height: int = 90, width: int = 120) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize("which", ["detector", "detector2"])
def test_people_and_animals_come_out_frame_by_frame(folders, which):
    clip = frames()
    found = estimator(folders, detector=which)(clip)
    assert len(found) == 4
    assert sum(len(frame.people.joints) for frame in found) > 0
    assert sum(len(frame.animals.joints) for frame in found) > 0
    for frame in found:
        for figures, count in ((frame.people, 133), (frame.animals, 17)):
            n = len(figures.joints)
            assert figures.joints.shape == (n, count, 3)
            assert figures.boxes.shape == (n, 4)
            assert figures.scores.shape == (n,)
            assert figures.joints.dtype == figures.boxes.dtype == figures.scores.dtype == np.float32
            assert np.isfinite(figures.joints).all()
            assert (figures.joints[..., 2] >= 0).all()
            assert (figures.joints[..., 2] <= 1).all()
            assert (figures.scores >= 0.3).all()
            assert (figures.boxes >= 0).all()
            assert (figures.boxes <= [120, 90, 120, 90]).all()
    skeletons, report = link(found, 120, 90, fps=25)
    assert report.frames == 4
    assert all(skeleton.joints.shape[0] == 4 for skeleton in skeletons)


def test_a_batch_of_four_equals_one_by_one(folders):
    clip = frames()
    together = estimator(folders, frames_at_once=4, crops_at_once=64)(clip)
    alone = estimator(folders, frames_at_once=1, crops_at_once=1)
    for t, frame in enumerate(together):
        (single,) = alone(clip[t : t + 1])
        for both in ((frame.people, single.people), (frame.animals, single.animals)):
            np.testing.assert_allclose(both[0].boxes, both[1].boxes, atol=1e-3)
            np.testing.assert_allclose(both[0].joints, both[1].joints, atol=1e-2)


def test_no_animals_are_found_without_their_head_and_none_of_anything_in_no_frames(folders):
    found = estimator(folders, animals=None)(frames())
    assert not any(len(frame.animals.joints) for frame in found)
    assert estimator(folders)(frames()[:0]) == []


def test_a_body_head_fills_the_first_seventeen_joints(folders):
    plain = estimator(folders, people="body", animals=None)
    assert not plain.whole_body
    assert estimator(folders).whole_body
    people = np.concatenate([frame.people.joints for frame in plain(frames())])
    assert (people[:, :17, 2] > 0).any()
    assert not people[:, 17:].any()


def test_each_head_asks_for_the_expert_of_its_data_set(folders):
    model = estimator(folders)
    asked = {}
    for head in (model._people, model._animals):
        original = head._network.forward

        def forward(*args, head=head, original=original, **words):
            asked[head.joints] = words["dataset_index"].tolist()
            return original(*args, **words)

        head._network.forward = forward
        head.maps(torch.zeros(2, 3, 64, 48))
    assert asked == {133: [5, 5], 17: [3, 3]}


def test_half_precision_runs_and_stays_close(folders):
    exact, half = (estimator(folders, dtype=dtype) for dtype in (torch.float32, torch.bfloat16))
    pixels = torch.rand(2, 3, 64, 48)
    one, other = exact._people.maps(pixels), half._people.maps(pixels.bfloat16())
    assert other.dtype == torch.bfloat16
    assert (one - other.float()).abs().max() < 0.1 * one.abs().max()
    assert len(half(frames(2))) == 2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_gpu_finds_the_same(folders):
    here, there = estimator(folders)(frames()), estimator(folders, device="cuda")(frames())
    for one, other in zip(here, there, strict=True):
        np.testing.assert_allclose(one.people.boxes, other.people.boxes, atol=0.5)


# --- what cannot be used ---------------------------------------------------------------------------------------------


def test_missing_and_wrong_weights_are_told_in_a_sentence(folders, tmp_path):
    def refused(match: str, people="whole", animals=None, found="detector"):
        names = {name: str(folders.get(name, name)) for name in (people, found)}
        with pytest.raises(InputError, match=match):
            PoseEstimator(Weights(names[people]), animals, Weights(names[found]), detector_side=64)

    refused("nowhere cannot be used as pose model.*is there", people=str(tmp_path / "nowhere"))
    refused("is a vitpose; the detector has to be a rt_detr", found="body")
    refused("is a rt_detr; the pose model has to be a vitpose", people="detector")
    refused("has a head for an animal's", people="animal")

    damaged = shutil.copytree(folders["whole"], tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"\xff" * 100)
    refused("damaged cannot be used.*fetch it again", people=str(damaged))
    (damaged / "model.safetensors").unlink()
    (damaged / "pytorch_model.bin").write_bytes(b"anything")
    refused("no safetensors and other weights are not read", people=str(damaged))
    (damaged / "config.json").write_text("{")
    refused("damaged cannot be used", people=str(damaged))

    with pytest.raises(InputError, match=r"not those of animals.*AP-10K"):
        estimator(folders, animals="body")
    with pytest.raises(InputError, match="133 joints, but not those of animals"):
        estimator(folders, animals="whole")


def test_a_checkpoint_with_a_tensor_missing_is_refused(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    holed = shutil.copytree(folders["body"], tmp_path / "holed")
    tensors = load_file(holed / "model.safetensors")
    del tensors["head.conv.weight"]
    save_file(tensors, holed / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"holed lacks head\.conv\.weight"):
        estimator({**folders, "holed": holed}, people="holed", animals=None)


def test_a_detector_that_knows_no_people_is_refused(folders, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strange = detector(tmp_path / "strange", names=("table", "chair"))
    with pytest.raises(InputError, match="no class called person"):
        estimator({**folders, "strange": strange}, detector="strange")


# --- between pictures and heat maps ----------------------------------------------------------------------------------


def test_a_point_of_the_picture_is_found_again_through_crop_and_heat_map():
    """The affine round trip: a bright dot at a known pixel, cut out, its brightness taken as the heat map."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        box = np.float32([*rng.uniform(20, 60, 2), *rng.uniform(90, 150, 2)])
        area = padded(box, 48 / 64)
        dot = rng.uniform(box[:2] + 8, box[2:] - 8)
        y, x = np.mgrid[:180, :180]
        bright = 250 * np.exp(-((x - dot[0]) ** 2 + (y - dot[1]) ** 2) / (2 * 4.0**2))
        picture = np.repeat(np.rint(bright)[..., None], 3, 2).astype(np.uint8)
        cut = crop(picture, area, 48, 64)
        (found,) = decode(cut[None, None, ..., 0].astype(np.float32) / 255, area[None])
        assert np.abs(found[0, :2] - dot).max() < 0.25


def test_known_cells_are_known_pixels():
    """The first cell's centre is the area's corner, the last one's the opposite corner."""
    area = np.float32([[10, 20, 58, 84]])
    y, x = np.mgrid[:16, :12].astype(np.float64)
    for at in ((3.0, 5.0), (6.4, 9.7), (8.25, 11.5)):
        heat = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * 2.0**2)).astype(np.float32)
        ((found,),) = decode(heat[None, None], area)
        expected = [10 + at[0] * 48 / 11, 20 + at[1] * 64 / 15]
        assert np.abs(found[:2] - expected).max() < 0.05 * 48 / 11
        assert found[2] == pytest.approx(heat.max())


def test_an_empty_map_is_an_absent_joint_and_a_peak_on_the_border_stays_in_the_area():
    maps = np.zeros((1, 2, 16, 12), np.float32)
    maps[0, 1, 0, 11] = 3.0
    ((nothing, corner),) = decode(maps, np.float32([[0, 0, 11, 15]]))
    assert not nothing.any()
    assert corner[2] == 1
    np.testing.assert_allclose(corner[:2], [11, 0], atol=1.01)


def test_padding_keeps_centre_and_aspect():
    for box in ([10, 20, 40, 50], [0, 0, 5, 90], [-20, 30, 200, 40]):
        area = padded(np.float32(box), 0.75)
        np.testing.assert_allclose(area[:2] + area[2:], np.add(box[:2], box[2:]), atol=1e-3)
        assert (area[2] - area[0]) / (area[3] - area[1]) == pytest.approx(0.75, rel=1e-5)
        assert (area[:2] <= box[:2]).all()
        assert (area[2:] >= box[2:]).all()


# --- the makers' checkpoints -----------------------------------------------------------------------------------------


def makers_checkpoint(heads: int = 6, width: int = 24, shared: int = 16) -> dict[str, torch.Tensor]:
    """Random tensors by the names of the makers' files, ViTPose++ of two blocks."""
    torch.manual_seed(3)
    draw, made = (lambda *shape: 0.3 * torch.randn(*shape)), {}
    made["backbone.patch_embed.proj.weight"], made["backbone.patch_embed.proj.bias"] = (
        draw(width, 3, 16, 16),
        draw(width),
    )
    made["backbone.pos_embed"] = draw(1, 16 * 12 + 1, width)
    for end, shape in (("weight", (width,)), ("bias", (width,))):
        made[f"backbone.last_norm.{end}"] = draw(*shape)
    for block in range(2):
        at = f"backbone.blocks.{block}"
        for name, rows, columns in (("attn.qkv", 3 * width, width), ("attn.proj", width, width),
                                    ("mlp.fc1", 4 * width, width), ("mlp.fc2", shared, 4 * width),
                                    *((f"mlp.experts.{k}", width - shared, 4 * width) for k in range(6))):  # fmt: skip
            made[f"{at}.{name}.weight"], made[f"{at}.{name}.bias"] = draw(rows, columns), draw(rows)
        for name in ("norm1", "norm2"):
            made[f"{at}.{name}.weight"], made[f"{at}.{name}.bias"] = draw(width), draw(width)
    for k in range(heads):
        at = "keypoint_head" if k == 0 else f"associate_keypoint_heads.{k - 1}"
        made[f"{at}.deconv_layers.0.weight"] = draw(width, 256, 4, 4)
        made[f"{at}.deconv_layers.3.weight"] = draw(256, 256, 4, 4)
        for layer in (1, 4):
            for end in ("weight", "bias", "running_mean"):
                made[f"{at}.deconv_layers.{layer}.{end}"] = draw(256)
            made[f"{at}.deconv_layers.{layer}.running_var"] = draw(256).abs() + 0.5
            made[f"{at}.deconv_layers.{layer}.num_batches_tracked"] = torch.tensor(1)
        # Heads are stored with room for 133.
        made[f"{at}.final_layer.weight"], made[f"{at}.final_layer.bias"] = draw(133, 256, 1, 1), draw(133)
    return made


@pytest.mark.parametrize(("name", "expert", "joints"), [("wholebody", 5, 133), ("ap10k", 3, 17), ("coco", 0, 17)])
def test_a_folder_made_from_the_makers_file_computes_what_its_expert_and_its_head_compute(
    tmp_path, name, expert, joints
):
    """Against transformers' own mixture of experts, given the same tensors and the number of the expert."""
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

    theirs = makers_checkpoint()
    torch.save({"state_dict": theirs}, tmp_path / "theirs.pth")
    write_folder(tmp_path / "theirs.pth", name, tmp_path / name)
    made = VitPoseForPoseEstimation.from_pretrained(tmp_path / name, use_safetensors=True).eval()
    assert made.config.num_labels == joints

    ours, sizes = convert(theirs, name)
    mixed = VitPoseForPoseEstimation(
        VitPoseConfig(
            backbone_config=VitPoseBackboneConfig(**sizes, num_experts=6, part_features=8),
            use_simple_decoder=False, num_labels=joints,
        )
    ).eval()  # fmt: skip
    for block in range(2):
        for end in ("weight", "bias"):
            at = f"backbone.encoder.layer.{block}.mlp"
            ours[f"{at}.fc2.{end}"] = theirs[f"backbone.blocks.{block}.mlp.fc2.{end}"]
            for k in range(6):
                ours[f"{at}.experts.{k}.{end}"] = theirs[f"backbone.blocks.{block}.mlp.experts.{k}.{end}"]
    mixed.load_state_dict(ours)
    pixels = torch.randn(2, 3, 256, 192)
    with torch.inference_mode():
        one = made(pixel_values=pixels).heatmaps
        other = mixed(pixel_values=pixels, dataset_index=torch.full((2,), expert)).heatmaps
        wrong = mixed(pixel_values=pixels, dataset_index=torch.full((2,), (expert + 1) % 6)).heatmaps
    assert one.shape == (2, joints, 64, 48)
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    assert (one - wrong).abs().max() > 1e-2


def test_what_is_no_makers_file_is_refused(tmp_path):
    path = tmp_path / "x.pth"
    with pytest.raises(InputError, match="cannot be read as plain tensors"):
        write_folder(path, "coco", tmp_path / "out")
    path.write_bytes(b"\x80\x04junk")
    with pytest.raises(InputError, match="cannot be read as plain tensors"):
        write_folder(path, "coco", tmp_path / "out")
    torch.save({"state_dict": {"backbone.blocks.0.x": torch.zeros(1)}}, path)
    with pytest.raises(InputError, match="no ViTPose with a head for coco"):
        write_folder(path, "coco", tmp_path / "out")
    torch.save(makers_checkpoint(heads=1), path)
    with pytest.raises(InputError, match="no head for 'mpii'"):
        write_folder(path, "mpii", tmp_path / "out")
    assert not (tmp_path / "out").exists()
