"""Saves TorchScript without the names of the source files that it was made from: they are paths of one machine, and no
reader needs them."""

import os
import pathlib
import tempfile
import zipfile


def save(module, path):
    path = pathlib.Path(path)
    with tempfile.TemporaryDirectory() as folder:
        # The archive's top folder takes the name of the file that PyTorch writes.
        whole = os.path.join(folder, path.name)
        module.save(whole)
        with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
            for name in source.namelist():
                if not name.endswith(".debug_pkl"):
                    target.writestr(zipfile.ZipInfo(name), source.read(name))
