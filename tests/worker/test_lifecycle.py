"""The worker process itself: hello, one load, beats, and how it ends."""

import json
import subprocess
import sys

import msgspec
import pytest

from schemas.frames import (
    EXIT_FATAL,
    EXIT_LOAD_FAILED,
    EXIT_PARENT_GONE,
    EXIT_PROTOCOL,
    EXIT_STOP,
    PROTOCOL,
    Beat,
    Bye,
    Device,
    Hello,
    Limits,
    Load,
    Loaded,
    LoadFailed,
    Memory,
    Progress,
    Stop,
    Submit,
)
from tests.kit import tiny
from tests.kit.worker_client import ROOT, WorkerClient, chat


def test_the_probe_describes_the_device_in_one_line_of_json():
    done = subprocess.run(
        [sys.executable, "-m", "lmxd.worker", "--probe"],
        capture_output=True,
        cwd=ROOT,
        timeout=60,
        check=True,
    )
    assert done.stdout.count(b"\n") == 1
    device = msgspec.json.decode(done.stdout, type=Device)
    assert device.kind in ("cpu", "metal", "cuda")
    assert device.memory > 2**28
    assert device.recommended is None or device.recommended > 0
    assert set(device.versions) == {"mlx", "mlx-lm"}
    assert set(json.loads(done.stdout)) == {"kind", "name", "memory", "recommended", "versions"}


def test_another_protocol_number_ends_the_worker_before_anything_else():
    with WorkerClient(protocol=PROTOCOL + 1) as worker:
        with pytest.raises(EOFError):
            worker.next()
        assert worker.wait_exit() == EXIT_PROTOCOL
        assert f"protocol-mismatch daemon={PROTOCOL + 1} worker={PROTOCOL}" in worker.stderr()


def test_a_spare_says_hello_and_goes_when_told_or_when_its_parent_is_gone():
    with WorkerClient() as told, WorkerClient() as orphan:
        hello = told.next()
        assert isinstance(hello, Hello)
        assert (hello.protocol, hello.pid) == (PROTOCOL, told.process.pid)
        assert set(hello.versions) == {"mlx", "mlx-lm"}
        beat = told.until(lambda frame: isinstance(frame, Beat))
        assert beat.phase == "spare"
        told.send(Stop())
        assert isinstance(told.until(lambda frame: isinstance(frame, Bye)), Bye)
        assert told.wait_exit() == EXIT_STOP
        orphan.hang_up()
        assert orphan.wait_exit() == EXIT_PARENT_GONE


def test_bytes_that_are_no_frame_end_the_worker():
    with WorkerClient() as worker:
        worker.next()
        worker._sock.sendall(b"\xff\xff\xff\xff")
        assert worker.wait_exit() == EXIT_PROTOCOL
        assert "frame-refused" in worker.stderr()


def test_what_nobody_expected_is_exit_5_with_the_reason_in_the_log():
    with WorkerClient(engine="nonsense") as worker:
        assert worker.wait_exit() == EXIT_FATAL
        assert "fatal" in worker.stderr()
        assert "engine 'nonsense' is not built into this worker" in worker.stderr()


FAILURES = [
    (lambda f: edit(f, model_type="nonsense"), "UnsupportedArchitecture", "'nonsense'"),
    (lambda f: cut(f / "model.safetensors"), "UnverifiedFiles", "its header says"),
    (lambda f: edit(f, num_hidden_layers=3), "LoadFailed", "Missing"),
]


def edit(folder, **fields):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(("damage", "code", "message"), FAILURES)
def test_a_model_that_cannot_be_loaded_is_one_clear_frame_and_exit_2(
    tmp_path, damage, code, message
):
    damage(tiny.make(tmp_path / "model"))
    with WorkerClient() as worker:
        failed = worker.load(tmp_path / "model")
        assert isinstance(failed, LoadFailed)
        assert failed.code == code
        assert message in failed.message
        assert worker.wait_exit() == EXIT_LOAD_FAILED
        assert "Traceback" not in worker.stderr()
        assert len(worker.stderr().splitlines()) <= 3


def test_options_and_tasks_the_engine_does_not_know_are_refused(models):
    with WorkerClient() as first, WorkerClient() as second:
        failed = first.load(tiny.cached(models), options={"gpu_layers": 3})
        assert (failed.code, "gpu_layers" in failed.message) == ("UnsupportedField", True)
        failed = second.load(tiny.cached(models), task="vision")
        assert (failed.code, "vision" in failed.message) == ("UnsupportedField", True)


def test_a_load_reports_its_bytes_and_what_it_serves(models):
    folder = tiny.cached(models, mib=150, context=512)
    with WorkerClient() as worker:
        worker.until(lambda frame: isinstance(frame, Hello))
        worker.send(Memory(8 << 30), Load("u", str(folder), "mlx", "chat", Limits(4096, 4, 0)))
        frames = []
        while not isinstance(frame := worker.next(), Loaded):
            frames.append(frame)
        steps = [(f.done, f.total) for f in frames if isinstance(f, Progress)]
        assert len(steps) >= 3
        assert steps == sorted(steps)
        assert steps[0][0] == 0
        assert steps[-1][0] == steps[-1][1] > 150 << 20
        assert frame.context == 512, "the model's own context is less than the limit"
        assert frame.memory > 150 << 20
        assert len(frame.tokenizer_sha) == 64
        assert frame.seconds > 0
        worker.send(Memory(4 << 30))
        assert worker.ask(chat("a", max_tokens=2))[0].finish
        worker.send(Load("again", str(folder), "mlx", "chat", Limits(1, 1, 0)))
        assert worker.wait_exit() == EXIT_PROTOCOL


def test_beats_go_on_in_a_long_step_and_a_gone_parent_ends_it(models):
    """Prefilling two thousand tokens of a 100 MiB model is one step of many seconds."""
    with WorkerClient(env={"LD_PRELOAD": ""}) as worker:
        worker.load(tiny.cached(models, mib=200))
        worker.send(Submit(chat("long", "x" * 1900, max_tokens=1)))
        beats = []
        while len(beats) < 2:
            frame = worker.until(lambda frame: isinstance(frame, Beat) and frame.active == 1)
            if frame.phase == "prefill":
                beats.append(frame)
        first, second = beats
        assert first.step == second.step, "the step was over too soon for this test"
        assert second.phase_age_s > first.phase_age_s
        assert second.memory > 200 << 20
        worker.hang_up()
        assert worker.wait_exit(5) == EXIT_PARENT_GONE


def test_stop_lets_requests_end_within_the_grace_and_refuses_new_ones(models):
    with WorkerClient() as worker:
        worker.load(tiny.cached(models))
        worker.send(Submit(chat("runs", max_tokens=50)), Stop(30_000), Submit(chat("late")))
        runs, late = worker.wait_answers(["runs", "late"])
        assert runs.finish == "length"
        assert (late.failed.code, late.failed.retryable) == ("model_draining", True)
        assert isinstance(worker.until(lambda frame: isinstance(frame, Bye)), Bye)
        assert worker.wait_exit() == EXIT_STOP


def test_stop_without_grace_fails_what_runs_and_exits(models):
    with WorkerClient() as worker:
        worker.load(tiny.cached(models, says=["on", " and"], loop=True))
        worker.send(Submit(chat("runs")))
        worker.until(lambda _: "runs" in worker.answers and bool(worker.answers["runs"].text))
        worker.send(Stop())
        (runs,) = worker.wait_answers(["runs"])
        assert runs.failed.code == "model_draining"
        worker.until(lambda frame: isinstance(frame, Bye))
        assert worker.wait_exit() == EXIT_STOP
