"""The whole way of a driver through ``animate``, for the files that people have: codec, clock, container, turn, sound.

Each made clip is read (against what it was made to hold), animated by a small random model, and the result is compared
with the clip: as many frames, at the same times, the last one as long, the sound packets the same.
"""

import dataclasses
import itertools
from fractions import Fraction

import numpy as np
import pytest

from blocks import save_random_mini
from clips import Made, Sound, make, set_matrix, sound_packets, steady, uneven
from diptych.media.image import write_image
from diptych.media.video import read_frames
from diptych.options import AnimateOptions
from diptych.recipes.animate import animate_files
from diptych.recipes.session import open_session

FRAMES = 14  # an opening window and the beginning of the next

QUIET = {"x265-params": "log-level=none"}
FAST = {"preset": "veryfast", "crf": "24"}
FINE = Fraction(1, 90_000)
MILLI = Fraction(1, 1000)
FINE_CLOCKS = {
    "25": steady(FRAMES, 3600),
    "ntsc": steady(FRAMES, 3003),
    "uneven": uneven(FRAMES, 9000),
    "late": steady(FRAMES, 3600, start=45_000),
}
MILLI_CLOCKS = {"25": steady(FRAMES, 40), "uneven": uneven(FRAMES, 90), "late": uneven(FRAMES, 90, start=500, seed=1)}

# suffix, codec, pixels, options
FINE_FILES = [
    (".mp4", "libx264", "yuv420p", FAST),
    (".mov", "libx264", "yuv420p", FAST),
    (".mp4", "libx264", "yuv420p10le", FAST),
    (".mp4", "libx265", "yuv420p", QUIET),
    (".mov", "libx265", "yuv420p10le", QUIET),
    (".mp4", "libsvtav1", "yuv420p", {"preset": "12"}),
    (".mp4", "libvpx-vp9", "yuv420p", {"cpu-used": "8"}),
    (".mov", "prores_ks", "yuv422p10le", {}),
]
MILLI_FILES = [
    (".mkv", "libx264", "yuv420p", FAST),
    (".mkv", "libx265", "yuv420p10le", QUIET),
    (".webm", "libvpx-vp9", "yuv420p", {"cpu-used": "8"}),
    (".webm", "libvpx", "yuv420p", {"cpu-used": "8"}),
    (".webm", "libsvtav1", "yuv420p10le", {"preset": "12"}),
    (".mkv", "ffv1", "yuv444p", {}),
]


def _clocked(files, clocks, base):
    for (suffix, codec, pixels, options), (clock, ticks) in itertools.product(files, clocks.items()):
        yield Made(f"{codec}-{pixels}-{clock}{suffix}", ticks, base, codec, pix_fmt=pixels, options=options)


CLOCKED = [*_clocked(FINE_FILES, FINE_CLOCKS, FINE), *_clocked(MILLI_FILES, MILLI_CLOCKS, MILLI)]
OTHERS = [
    Made("steady.gif", steady(FRAMES, 4), Fraction(1, 100), "gif", pix_fmt="rgb8", options={}),
    Made("uneven.gif", uneven(FRAMES, 10), Fraction(1, 100), "gif", pix_fmt="rgb8", options={}),
    Made("old.avi", steady(FRAMES, 1), Fraction(1, 25), "mpeg4", options={"bf": "0"}),
    Made("photos.avi", steady(FRAMES, 1), Fraction(1, 12), "mjpeg", pix_fmt="yuvj420p", options={}),
    Made("one.mp4", steady(1, 3), Fraction(1, 25)),
    Made("odd.mkv", steady(FRAMES, 40), MILLI, "ffv1", 63, 47, "yuv444p", {}),
    Made("thin.mkv", steady(FRAMES, 40), MILLI, "ffv1", 200, 17, "yuv444p", {}),
    Made("full.mp4", steady(FRAMES, 3600), FINE, pix_fmt="yuvj420p"),
    Made("clear.webm", steady(FRAMES, 40), MILLI, "libvpx-vp9", pix_fmt="yuva420p", options={"cpu-used": "8"}),
]
SOUNDS = [
    Made("aac.mp4", steady(FRAMES, 3600), FINE, sound=Sound()),
    Made("aac.mov", uneven(FRAMES, 9000), FINE, sound=Sound(rate=48_000, layout="mono")),
    Made("longer.mp4", steady(FRAMES, 3600), FINE, sound=Sound(seconds=2.5)),
    Made("shorter.mp4", steady(FRAMES, 3600), FINE, sound=Sound(seconds=0.15)),
    Made("late.mp4", steady(FRAMES, 3600, start=9000), FINE, sound=Sound(start=11_025)),
    Made("opus.webm", steady(FRAMES, 40), MILLI, "libvpx-vp9", options={}, sound=Sound("libopus", 48_000)),
    Made("mp3.mkv", steady(FRAMES, 40), MILLI, sound=Sound("libmp3lame")),
    Made("pcm.mov", steady(FRAMES, 3600), FINE, sound=Sound("pcm_s16le")),
]
TURNS = {"quarter": (0, 1, -1, 0), "half": (-1, 0, 0, -1), "back": (0, -1, 1, 0)}


@pytest.fixture(scope="module")
def animated(tmp_path_factory):
    """Animates a driver with one picture and one small model; gives the result's path."""
    folder = save_random_mini(tmp_path_factory.mktemp("model"))
    picture = folder / "picture.png"
    write_image(picture, np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8))
    session = open_session(str(folder), steps=1)

    def animate(driver, **settings):
        output = driver.with_name("result" + settings.pop("suffix", ".mp4"))
        options = AnimateOptions(picture, driver, output, model=str(folder), steps=1, quiet=True, **settings)
        return output, animate_files(options, session)

    return animate


def timing(path):
    return [(frame.time, frame.duration) for frame in read_frames(path)]


def test_there_are_enough_of_them():
    assert len(CLOCKED) + len(OTHERS) + len(SOUNDS) + len(TURNS) >= 50
    assert len({made.name for made in [*CLOCKED, *OTHERS, *SOUNDS]}) == len(CLOCKED) + len(OTHERS) + len(SOUNDS)


@pytest.mark.parametrize("made", [*CLOCKED, *OTHERS], ids=lambda made: made.name)
def test_as_many_frames_at_the_same_times(made, animated, tmp_path):
    driver = make(tmp_path, made)
    output, _ = animated(driver)
    found = timing(driver)
    assert [time for time, _ in found] == list(made.times)
    assert timing(output) == found
    # Of uneven clips with reordered frames, which x265 makes, MP4 does not keep how long the last one is shown: what it
    # says of the track's end is as near as anybody gets.
    slack = made.time_base if "libx265-" not in made.name or made.time_base == MILLI else Fraction(1, 100)
    assert abs(found[-1][1] - made.last_duration) <= slack


@pytest.mark.parametrize("name", TURNS)
def test_a_turned_phone_changes_no_time(name, animated, tmp_path):
    driver = make(tmp_path, Made("phone.mp4", uneven(FRAMES, 9000), FINE))
    set_matrix(driver, *TURNS[name])
    output, _ = animated(driver)
    assert timing(output) == timing(driver)


@pytest.mark.parametrize("made", SOUNDS, ids=lambda made: made.name)
def test_sound_packets_are_the_drivers_own(made, animated, tmp_path):
    driver = make(tmp_path, made)
    output, result = animated(driver, suffix=".mov" if "pcm" in made.name else ".mp4")
    assert timing(output) == timing(driver)
    assert not any("re-encoded" in note for note in result.notes)
    before, after = sound_packets(driver), sound_packets(output)
    assert [data for _, data in after] == [data for _, data in before]
    slack = Fraction(1, 1000) if driver.suffix in (".webm", ".mkv") else Fraction(1, 44_100)
    assert all(abs(a - b) <= slack for (a, _), (b, _) in zip(after, before, strict=True))


def test_a_cut_is_encoded_anew_said_and_as_long_as_the_picture(animated, tmp_path):
    driver = make(tmp_path, Made("aac.mp4", steady(50, 3600), FINE, sound=Sound(seconds=2.0)))
    output, result = animated(driver, start=Fraction(1, 2), end=Fraction(3, 2))
    assert [note for note in result.notes if "is cut to the sample: re-encoded to AAC" in note]
    times = timing(output)
    assert len(times) == 25
    assert times[0][0] == 0
    packets = sound_packets(output)
    # AAC's first packet is its priming, before zero or cut away; the last may reach a packet beyond the end.
    assert -0.1 < packets[0][0] <= 0.03
    assert 0.9 < packets[-1][0] < 1.1


def test_sound_that_fits_nowhere_is_said_once(animated, tmp_path):
    driver = make(tmp_path, Made("old.avi", steady(FRAMES, 1), codec="mpeg4", options={}, sound=Sound("adpcm_ms")))
    made = dataclasses.asdict(animated(driver)[1])
    assert [note for note in made["notes"] if "re-encoded to AAC" in note and "old.avi" in note]
