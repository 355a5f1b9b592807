"""``diptych serve`` over HTTP: its results are the command line's, and nothing that happens to it costs a window."""

from __future__ import annotations

import json
import socket

import psutil
import pytest

from diptych.media.video import frame_times, probe
from diptych.options import AnimateOptions
from diptych.recipes.animate import animate_files
from serving import Visitor, served, until

SLOW = 64
"""Steps that make a window of the tiny model last long enough to be interrupted."""


@pytest.fixture
def visitor(server):
    return Visitor(server.url)


@pytest.fixture(scope="module")
def by_command(files, model, tmp_path_factory):
    """What ``diptych animate`` makes of the same, by the number of steps."""
    made = {}

    def bytes_of(steps):
        if steps not in made:
            output = tmp_path_factory.mktemp("command") / "out.mp4"
            options = AnimateOptions(files / "picture.png", files / "driver.mp4", output, model=str(model), steps=steps)
            animate_files(options)
            made[steps] = output.read_bytes()
        return made[steps]

    return bytes_of


def begin(visitor, files, **wanted):
    return visitor.begin(files / "picture.png", files / "driver.mp4", **wanted)


def test_a_result_is_that_of_the_command_line_and_says_how_it_was_made(server, visitor, files, by_command):
    id_ = begin(visitor, files, steps=2)
    run = visitor.wait(id_, "done", "failed")
    assert run["state"] == "done", run
    assert visitor.get(f"/api/runs/{id_}/result.mp4") == by_command(2)
    said = visitor.get(f"/api/runs/{id_}/run.json")
    assert said["options"]["steps"] == 2
    assert str(server.folder) not in json.dumps(said)  # nobody's folders go out with it
    made = run["made"]
    assert (made["frames"], made["width"], made["height"]) == (60, 36, 28)
    beside = server.folder / "runs" / id_ / "beside.mp4"
    assert made["times"] == [round(float(time), 6) for time in frame_times(files / "driver.mp4")]
    assert made["beside"] == [probe(beside).width, probe(beside).height]
    assert [width for _, width in made["columns"]] == [round(w * 256 / h) for w, h in ((80, 60), (48, 64), (36, 28))]


def test_a_cancelled_run_keeps_its_windows_and_goes_on_to_the_same_result(visitor, files, by_command):
    id_ = begin(visitor, files, steps=SLOW)
    until(lambda: visitor.run(id_)["progress"]["done"] >= 24)
    visitor.ask("POST", f"/api/runs/{id_}/stop")
    run = visitor.wait(id_, "stopped", "done")
    assert run["state"] == "stopped"
    assert run["kept"] >= 2
    assert (run["progress"]["done"], run["progress"]["total"]) == (12 * run["kept"], 60)
    visitor.ask("POST", f"/api/runs/{id_}/go-on")
    visitor.wait(id_, "done")
    windows = visitor.get(f"/api/runs/{id_}/run.json")["result"]["windows"]
    assert windows == {"made": 5 - run["kept"], "from_the_journal": run["kept"]}
    assert visitor.get(f"/api/runs/{id_}/result.mp4") == by_command(SLOW)


def test_progress_says_how_long_it_still_takes(visitor, files):
    id_ = begin(visitor, files, steps=SLOW)
    left = until(lambda: visitor.run(id_)["progress"].get("left"))
    assert 0 < left < 60
    shares = []
    while (run := visitor.run(id_))["state"] == "running":
        shares.append(run["progress"]["share"] or 0)
    assert shares == sorted(shares)
    assert len(set(shares)) > 5  # finer than windows


def test_two_people_see_their_own_runs_and_their_place_in_the_queue(server, visitor, files):
    other = Visitor(server.url)
    mine, next_, theirs = begin(visitor, files, steps=SLOW), begin(visitor, files), begin(other, files)
    assert [visitor.run(id_)["before"] for id_ in (mine, next_)] == [None, 1]
    assert other.run(theirs)["before"] == 2
    assert [run["id"] for run in other.get("/api/runs")] == [theirs]
    assert {mine, next_} <= {run["id"] for run in visitor.get("/api/runs")}
    for method, path in (("GET", ""), ("GET", "/picture.png"), ("POST", "/stop"), ("POST", "/go-on"), ("DELETE", "")):
        assert other.ask(method, f"/api/runs/{mine}{path}")[0] == 404
    assert visitor.ask("DELETE", f"/api/runs/{mine}")[0] == 409
    visitor.ask("POST", f"/api/runs/{next_}/stop")
    assert visitor.run(next_)["state"] == "stopped"
    assert other.run(theirs)["before"] == 1
    visitor.ask("POST", f"/api/runs/{mine}/stop")
    assert other.wait(theirs, "done")["frames"] == 60
    assert visitor.ask("DELETE", f"/api/runs/{mine}") == (200, {})
    assert visitor.ask("GET", f"/api/runs/{mine}")[0] == 404
    assert not (server.folder / "runs" / mine).exists()


@pytest.mark.parametrize(
    ("kind", "content", "name", "status", "says"),
    [
        ("picture", b"not a picture", "cat.png", 422, "cat.png is not a picture that can be read; save it as PNG"),
        ("video", b"not a video", "dance.mp4", 422, "dance.mp4 is not a video that can be read; convert it to an"),
        ("video", b"", "none.mp4", 422, "none.mp4 is empty; record or export it again."),
        ("picture", bytes(1 << 20) + b"x", "big.png", 413, "big.png is larger than 1 MB, the most that a picture may"),
        ("picture", b"x", "../../up\\and\x07away\n.png", 422, "andaway.png is not a picture"),
        ("sound", b"x", "a.wav", 422, "Kind: input should be 'picture' or 'video'."),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence_and_leaves_nothing(
    server, visitor, tmp_path, kind, content, name, status, says
):
    (tmp_path / "file").write_bytes(content)
    before = sorted((server.folder / "uploads").iterdir())
    got, answer = visitor.upload(kind, tmp_path / "file", name)
    assert (got, answer["said"][: len(says)]) == (status, says)
    assert sorted((server.folder / "uploads").iterdir()) == before


def test_a_body_without_a_length_is_kept_no_further_than_the_limit(server, visitor):
    host, port = server.url.split("/")[2].split(":")
    head = f"POST /api/uploads/picture HTTP/1.1\r\nHost: {host}:{port}\r\nX-Diptych: 1\r\nCookie: {visitor.cookies}\r\n"
    with socket.create_connection((host, int(port))) as line:
        line.sendall((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
        block = bytes(1 << 18)
        for _ in range(5):  # and never an end
            line.sendall(b"%x\r\n%b\r\n" % (len(block), block))
        assert line.recv(1 << 16).startswith(b"HTTP/1.1 413 ")
    until(lambda: not list((server.folder / "uploads").glob("*.part")))


def test_what_goes_wrong_in_a_run_is_the_command_lines_sentence_with_the_owners_names(visitor, files):
    id_ = begin(visitor, files, start="60")
    run = visitor.wait(id_, "failed", "done")
    assert run["said"].startswith("driver.mp4 lasts 2.00 s, so nothing is left of it from 60 s on")


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"steps": 0}, "Steps: input should be greater than or equal to 1."),
        ({"size": 100000}, "Size: input should be less than or equal to 2048."),
        ({"start": "soon"}, "Start: 'soon' is not a time, as 12.5 or 1:02:03."),
        ({"start": "4", "end": "0:03"}, "The end, 0:03, is not after the start, 4."),
        ({"fps": "1000"}, "Fps: '1000' is not a frame rate from 1 to 120."),
        ({"motion": "pose"}, "Skeletons cannot be found here; start the server with --pose-weights."),
        ({"output": "/etc/passwd"}, "Output: extra inputs are not permitted."),
    ],
)
def test_options_that_cannot_be_are_refused(visitor, files, wanted, says):
    with pytest.raises(AssertionError) as told:
        begin(visitor, files, **wanted)
    assert says in str(told.value)


def test_an_example_is_a_run_like_any_other(visitor):
    house = visitor.get("/api/house")
    assert house["examples"] == ["person", "teapot", "cow", "child"]
    for name in house["examples"]:
        status, taken = visitor.ask("POST", f"/api/examples/{name}")
        assert status == 200
        assert taken["video"]["fps"] == 12
    asked = {kind: taken[kind]["id"] for kind in ("picture", "video")}
    status, run = visitor.ask("POST", "/api/runs", json.dumps(asked).encode())
    assert visitor.wait(run["id"], "done", "failed")["frames"] == 24


@pytest.mark.parametrize(
    "path", ["/api/runs/../lock", "/api/runs/x/run.json", "/pages/animate.html", "/pages/..%2fapp.py"]
)
def test_files_are_served_by_run_and_role_only(visitor, path):
    assert visitor.ask("GET", path)[0] == 404


def test_a_video_can_be_sought_in(visitor, files):
    id_ = begin(visitor, files)
    visitor.wait(id_, "done")
    whole = visitor.get(f"/api/runs/{id_}/beside.mp4")
    assert visitor.ask("GET", f"/api/runs/{id_}/beside.mp4", Range="bytes=10-19") == (206, whole[10:20])


def test_only_the_page_itself_may_change_something_and_only_for_browsers_that_it_knows(visitor):
    assert visitor.ask("POST", "/api/examples/person", Origin="http://elsewhere.example")[0] == 403
    assert visitor.ask("GET", "/", Host="elsewhere.example")[0] == 421
    visitor.forget()
    assert visitor.ask("GET", "/api/runs")[0] == 401


def test_a_worker_that_dies_costs_its_run_a_window_and_nobody_else_anything(server, visitor, files, by_command):
    id_ = begin(visitor, files, steps=SLOW)
    after = begin(visitor, files, steps=2)
    until(lambda: visitor.run(id_)["progress"]["done"] >= 12)
    workers = psutil.Process(server.process.pid).children(recursive=True)
    largest = max(workers, key=lambda worker: worker.memory_info().rss)  # the one that holds the model
    largest.kill()
    run = visitor.wait(id_, "failed", "done")
    assert run["said"].startswith("Its process ended unexpectedly")
    assert run["kept"] >= 1
    visitor.wait(after, "done")
    visitor.ask("POST", f"/api/runs/{id_}/go-on")
    visitor.wait(id_, "done")
    assert visitor.get(f"/api/runs/{id_}/result.mp4") == by_command(SLOW)


def test_a_server_that_ends_loses_nothing_and_one_for_others_needs_its_link(tmp_path, model, files, by_command):
    folder = tmp_path / "runs"
    with served(folder, model) as first:
        visitor = Visitor(first.url)
        id_, waiting = begin(visitor, files, steps=SLOW), begin(visitor, files, steps=2)
        until(lambda: visitor.run(id_)["progress"]["done"] >= 24)
        first.kill()
    port = first.url.rstrip("/").rpartition(":")[2]
    with served(folder, model, "--port", port, "--host", "0.0.0.0") as again:  # the later --port counts
        assert visitor.ask("GET", "/api/runs")[0] == 401
        assert "?token=" in again.url
        visitor.enter(again.url)
        assert {run["id"]: run["state"] for run in visitor.get("/api/runs")} == dict.fromkeys(
            (id_, waiting), "interrupted"
        )
        assert visitor.run(id_)["kept"] >= 2
        for each in (waiting, id_):
            visitor.ask("POST", f"/api/runs/{each}/go-on")
        visitor.wait(waiting, "done")
        assert visitor.get(f"/api/runs/{waiting}/result.mp4") == by_command(2)
        visitor.wait(id_, "running")
        assert again.interrupt() == 0  # Ctrl-C
        assert "everything is kept" in again.said
    record = json.loads((folder / "runs" / id_ / "record.json").read_text())
    assert record["state"] == "interrupted"
    # The journal is the command line's own: it goes on there as well.
    run = folder / "runs" / id_
    options = AnimateOptions(
        run / "picture" / "original.png",
        run / "video" / "original.mp4",
        run / "result.mp4",
        model=str(model),
        steps=SLOW,
    )
    animate_files(options)
    assert json.loads((run / "result.mp4.run.json").read_text())["result"]["windows"]["from_the_journal"] >= 2
    assert (run / "result.mp4").read_bytes() == by_command(SLOW)


def test_a_server_that_is_told_to_end_does_so_in_good_order(tmp_path, model, files):
    with served(tmp_path / "runs", model) as server:
        visitor = Visitor(server.url)
        id_ = begin(visitor, files, steps=SLOW)
        until(lambda: visitor.run(id_)["progress"]["done"] >= 12)
        workers = psutil.Process(server.process.pid).children(recursive=True)
        assert server.terminate() == 0
        assert "everything is kept" in server.said
        assert psutil.wait_procs(workers, timeout=20)[1] == []
    record = json.loads((tmp_path / "runs" / "runs" / id_ / "record.json").read_text())
    assert record["state"] == "interrupted"


@pytest.mark.parametrize("wrong", ["model", "port", "folder"])
def test_what_cannot_be_served_is_told_at_once(tmp_path, server, model, capsys, wrong):
    from diptych.cli import main

    words = ["serve", "--model", str(model), "--folder", str(tmp_path / "runs"), "--port", "0"]
    if wrong == "model":
        words[2], says = str(tmp_path / "none"), "none"
    elif wrong == "port":
        words[-1] = server.url.rstrip("/").rpartition(":")[2]
        says = f"--port {words[-1]} cannot be had (Address already in use"
    else:
        words[4], says = str(server.folder), "is in use by another run"
    assert main(words) == 2
    err = capsys.readouterr().err
    assert says in err
    assert len(err.replace("diptych: loading the model.\n", "").splitlines()) == 1
