"""What all tests share: where the models are, and the options."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent
# A machine that is busy is no failure.
settings.register_profile("any machine", deadline=None)
# For one that is emulated: `pytest --hypothesis-profile slow`.
settings.register_profile("slow", deadline=None, max_examples=5)
settings.load_profile("any machine")

FIXTURES = sorted(ROOT.glob("fixtures/*.tflite"))


def many(times: int) -> settings:
    """Give settings for so many times the examples that the profile in use has."""
    return settings(max_examples=times * settings().max_examples)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for a folder of models of one's own."""
    parser.addoption(
        "--models",
        type=Path,
        metavar="DIR",
        help="compare with LiteRT over every .tflite file under DIR, too",
    )
    parser.addoption(
        "--tflm",
        type=Path,
        metavar="DIR",
        help="compare with the sources of TensorFlow Lite Micro, a copy of its repository, too",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that take `model_path` for every fixture, and every model under `--models`."""
    if "model_path" not in metafunc.fixturenames:
        return
    paths = _models(metafunc.config)
    names = [path.relative_to(path.parents[1]).as_posix() for path in paths]
    metafunc.parametrize("model_path", paths, ids=names)


@pytest.fixture
def model_paths(request: pytest.FixtureRequest) -> list[Path]:
    """Return every fixture and every model under `--models`, for a test that runs them at once."""
    return _models(request.config)


def _models(config: pytest.Config) -> list[Path]:
    folder = config.getoption("models")
    if folder is None:
        return FIXTURES
    if not (found := sorted(folder.rglob("*.tflite"))):
        raise pytest.UsageError(f"--models {folder}: no .tflite file there")
    return [*FIXTURES, *found]


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run examples where the paths in them lead somewhere."""
    monkeypatch.chdir(ROOT)
