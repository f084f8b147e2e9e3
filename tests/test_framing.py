"""The codec gives back what was sent, however the bytes are cut, and refuses everything else."""

import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmxd.framing import Decoder, FrameError, encode
from schemas.frames import (
    DOWN,
    MAX_FRAME,
    UP,
    Beat,
    Bye,
    Cancel,
    Hello,
    Limits,
    Load,
    Loaded,
    LoadFailed,
    Memory,
    Progress,
    Step,
    Stop,
    Submit,
)
from schemas.inference import (
    Accepted,
    Failed,
    Finish,
    Message,
    Request,
    Sampling,
    Text,
    TextPart,
    Timings,
    Usage,
)

UPWARD = [
    Hello(1, 42, {"mlx": "0.32.4"}),
    Progress("load", 1, 2),
    Loaded(1.5, 1 << 40, 4096, ("chat",), "ab" * 32),
    LoadFailed("UnverifiedFiles", "model.safetensors has 10 bytes, its header says 20"),
    Step(
        (
            Accepted("a", 0, 12),
            Text("a", 0, "grüß dich 👋"),
            Finish("a", 0, "stop"),
            Usage("a", 0, 12, 3, 0, Timings(0.0, 0.25, 1.5)),
            Failed("b", 0, "internal", "no", None, True),
        )
    ),
    Beat("decode", 7, 0.5, 2, 1, 1 << 30),
    Bye("stopped"),
]
DOWNWARD = [
    Load("u", "/models/x", "mlx", "chat", Limits(4096, 8, 1 << 30), {"a": [1, None]}),
    Submit(
        Request(
            "a",
            "m",
            (Message("user", (TextPart("hi"),), name="me"),),
            max_tokens=3,
            stop=("x",),
            sampling=Sampling(temperature=0.5, seed=-1),
            template_kwargs={"tools": None},
        )
    ),
    Cancel("a"),
    Memory(1 << 40),
    Stop(250),
]


@given(st.data())
def test_any_cutting_of_the_bytes_gives_the_same_frames(data):
    frames = data.draw(st.lists(st.sampled_from(UPWARD), max_size=6))
    stream = b"".join(encode(frame) for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    decoder = Decoder(UP)
    got = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += decoder.feed(stream[start:end])
    assert got == frames


def test_every_frame_of_both_directions_comes_back_equal():
    assert Decoder(DOWN).feed(b"".join(map(encode, DOWNWARD))) == DOWNWARD
    assert Decoder(UP).feed(b"".join(map(encode, UPWARD))) == UPWARD
    assert {type(frame) for frame in UPWARD + DOWNWARD} == {*UP.values(), *DOWN.values()}


def framed(value: object) -> bytes:
    body = msgspec.msgpack.encode(value)
    return struct.pack(">I", len(body)) + body


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (framed(["hello", {}]), "unknown frame type 'hello'"),
        (framed(["cancel", {"id": 5}]), "cannot be decoded"),
        (framed(["cancel"]), "cannot be decoded"),
        (framed("cancel"), "cannot be decoded"),
        (struct.pack(">I", 0), "cannot be decoded"),
        (struct.pack(">I", 3) + b"\xc1\xff\x00", "cannot be decoded"),
        (framed(["cancel", {"id": "a"}])[:4] + b"\x92\xa6\xff", None),
        (struct.pack(">I", MAX_FRAME + 1), f"announces {MAX_FRAME + 1} bytes"),
    ],
)
def test_bytes_that_are_no_frame_of_this_direction_are_refused(stream, reason):
    decoder = Decoder(DOWN)
    if reason is None:  # not complete yet, so nothing to refuse
        assert decoder.feed(stream) == []
        return
    with pytest.raises(FrameError, match=reason):
        decoder.feed(stream)
    with pytest.raises(FrameError, match=reason):  # and the decoder stays broken
        decoder.feed(encode(Cancel("a")))


def test_a_frame_over_the_limit_is_not_sent():
    with pytest.raises(FrameError, match="cancel frame"):
        encode(Cancel("x" * MAX_FRAME))
