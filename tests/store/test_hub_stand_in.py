"""The stand-in is hub enough for huggingface_hub itself, and its faults are real ones."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

from tests.kit.hub import Hub, Place

FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": bytes(range(256)) * 4096,
    "nested/notes.txt": b"notes",
}


def test_huggingface_hub_downloads_a_snapshot_from_it(tmp_path: Path) -> None:
    with Hub() as hub:
        commit = hub.add_repo("org/name", FILES)
        found = snapshot_download(
            "org/name", cache_dir=tmp_path, endpoint=hub.url, token=False, max_workers=2
        )
    assert Path(found).name == commit
    assert {path: Path(found, path).read_bytes() for path in FILES} == FILES


def test_a_tree_listing_comes_in_pages_with_both_kinds_of_digest() -> None:
    with Hub(page=2) as hub:
        commit = hub.add_repo("org/name", FILES)
        tree = HfApi(endpoint=hub.url, token=False).list_repo_tree("org/name", recursive=True)
        listed = {entry.path: entry for entry in tree}
        assert HfApi(endpoint=hub.url).repo_info("org/name", token=False).sha == commit
        assert len(hub.calls(Place.TREE)) == 2
        held = hub.files("org/name")
    assert set(listed) == {*FILES, "nested"}
    assert listed["model.safetensors"].lfs.sha256 == held["model.safetensors"].sha256
    assert listed["config.json"].blob_id == held["config.json"].oid


def test_refusals_are_the_ones_huggingface_hub_tells_apart(tmp_path: Path) -> None:
    with Hub() as hub:
        hub.add_repo("org/gated", FILES, gated=True, tokens=["hf_good"])
        api = HfApi(endpoint=hub.url, token=False)
        with pytest.raises(GatedRepoError):
            api.hf_hub_download("org/gated", "config.json", cache_dir=tmp_path)
        with pytest.raises(RepositoryNotFoundError):
            HfApi(endpoint=hub.url, token="hf_any").repo_info("org/none")
        with pytest.raises(RevisionNotFoundError):
            api.repo_info("org/gated", revision="none")


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_transfer_breaks_off_after_the_bytes_it_was_given(reset: bool) -> None:
    with Hub(use_cdn=False) as hub:
        hub.add_repo("org/name", FILES)
        hub.cut("model.safetensors", after=100_000, reset=reset)
        url = f"{hub.url}/org/name/resolve/main/model.safetensors"
        with pytest.raises(httpx2.TransportError):
            httpx2.get(url, trust_env=False)
        again = httpx2.get(url, headers={"Range": "bytes=1000000-"}, trust_env=False)
        assert again.status_code == 206
        assert again.content == FILES["model.safetensors"][1_000_000:]
        assert [call.start for call in hub.calls(Place.FILE)] == [0, 1_000_000]
        assert hub.calls(Place.FILE)[0].sent == 100_000
