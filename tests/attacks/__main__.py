"""Write the files: `python -m tests.attacks`."""

from __future__ import annotations

from tests.attacks import ATTACKS, FOLDER

for name, attack in ATTACKS.items():
    (FOLDER / f"{name}.tflite").write_bytes(attack.content)
