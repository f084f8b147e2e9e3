"""Tiny models shared by the worker's tests of one session."""

import pytest


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder for `tiny.cached`."""
    return tmp_path_factory.mktemp("models")
