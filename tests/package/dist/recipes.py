#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads the recipes of Conan and vcpkg as far as it goes without them: recipes.py SOURCE_DIR VERSION"""
import json
import pathlib
import re
import sys

source, version = pathlib.Path(sys.argv[1]), sys.argv[2]
manifest = json.loads((source / "cmake/packages/vcpkg/toeplitz/vcpkg.json").read_text())
assert manifest["name"] == "toeplitz" and manifest["version"] == version, manifest
assert "eigen3" in manifest["dependencies"], manifest
portfile = (source / "cmake/packages/vcpkg/toeplitz/portfile.cmake").read_text()
recipe = (source / "cmake/packages/conan/conanfile.py").read_text()
compile(recipe, "conanfile.py", "exec")
# What they switch off is there to be switched off.
options = (source / "CMakeLists.txt").read_text()
for name in sorted(set(re.findall(r"TOEPLITZ_[A-Z_]+", portfile + recipe))):
    assert f"option({name} " in options, name
print("recipes of", version)
