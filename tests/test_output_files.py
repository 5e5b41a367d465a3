"""Files that a build step writes: replaced as a whole, all or none, and named in a rule of make."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_cli import run
from tflite_quant.firmware.output_files import depfile, write_files


class TestSeveral:
    def test_only_what_changes_is_written(self, tmp_path: Path) -> None:
        one, other = (str(tmp_path / name) for name in ("one", "other"))
        assert write_files({one: "1", other: "2"}) == [one, other]
        assert write_files({one: "1", other: "3"}) == [other]
        assert write_files({one: "1", other: "3"}) == []
        assert (Path(one).read_text(), Path(other).read_text()) == ("1", "3")
        assert len(list(tmp_path.iterdir())) == 2

    @pytest.mark.parametrize("is_first", [True, False])
    def test_none_is_written_if_one_cannot(self, is_first: bool, tmp_path: Path) -> None:
        good, bad = tmp_path / "good.h", tmp_path / "none" / "bad.c"
        good.write_text("old")
        texts = {str(good): "new", str(bad): "new"}
        order = list(texts)[:: -1 if is_first else 1]
        with pytest.raises(OSError, match="none") as caught:
            write_files({path: texts[path] for path in order})
        assert caught.value.filename == str(bad)
        assert good.read_text() == "old"
        assert list(tmp_path.iterdir()) == [good]

    def test_what_cannot_be_replaced(self, tmp_path: Path) -> None:
        """A folder in the place of a file."""
        folder = tmp_path / "folder"
        folder.mkdir()
        with pytest.raises(OSError, match="folder"):
            write_files({str(folder): "new"})
        assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.skipif(sys.platform == "win32", reason="links and devices are those of Unix")
class TestWhereItIsWritten:
    def test_a_link_stays_and_what_it_leads_to_is_replaced(self, tmp_path: Path) -> None:
        target, link = tmp_path / "target.h", tmp_path / "link.h"
        target.write_text("old")
        target.chmod(0o640)
        link.symlink_to(target)
        assert write_files({str(link): "new"}) == [str(link)]
        assert (link.is_symlink(), target.read_text()) == (True, "new")
        assert target.stat().st_mode & 0o777 == 0o640

    def test_a_new_file_has_the_mode_of_the_mask(self, tmp_path: Path) -> None:
        before = os.umask(0o027)
        try:
            write_files({str(tmp_path / "h.h"): "new"})
        finally:
            os.umask(before)
        assert (tmp_path / "h.h").stat().st_mode & 0o777 == 0o640

    def test_a_device_is_written_to(self) -> None:
        assert write_files({os.devnull: "text"})
        assert not Path(os.devnull).is_file()

    def test_a_pipe_is_written_to(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
        assert write_files({str(pipe): "text"})
        assert reader.communicate()[0] == "text"
        assert pipe.is_fifo()

    def test_a_folder_is_found_before_anything_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        good = tmp_path / "good.h"
        good.write_text("old")
        with pytest.raises(OSError, match="folder"):
            write_files({str(good): "new", str(tmp_path / "folder"): "new"})
        assert good.read_text() == "old"
        assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a b", r"a\ b"),
        ("a\\ b", r"a\\\ b"),
        ("a\tb#c%d:e", "a\\\tb\\#c\\%d\\:e"),
        ("$x", "$$x"),
        ("C:\\x", "C:\\x"),
        ("end\\", "end\\\\"),
    ],
)
def test_paths_in_a_rule_of_make(path: str, expected: str) -> None:
    assert depfile([path, "other"], "m") == f"{expected} other: m\n"


def test_a_rule_of_make_cannot_be_added() -> None:
    with pytest.raises(ValueError, match="cannot name the file"):
        depfile(["x", "a\nall: ; echo x"], "m")
    result = run("header", "fixtures/residual_int8.tflite", "-o", "x\ny.h", "--depfile", "d")
    assert (result.returncode, result.stdout) == (2, "")
    assert not Path("x\ny.h").exists()
