#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""conan create, without network, of the packages that the system has: conan_create.py CONAN RECIPE VERSION OUT"""
import os
import pathlib
import subprocess
import sys

conan, recipe, version, out = sys.argv[1:]
home = pathlib.Path(out)
home.mkdir(parents=True, exist_ok=True)
environment = {**os.environ, "CONAN_HOME": str(home)}


def run(*words):
    done = subprocess.run([conan, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


run("profile", "detect", "--force")
profile = home / "system"
profile.write_text("include(default)\n[settings]\ncompiler.cppstd=20\n[platform_requires]\neigen/3.4.0\nnlohmann_json/3.11.2\n")
printed = run("create", recipe, f"--version={version}", "--profile:all", str(profile), "--no-remote",
              "--test-folder", str(pathlib.Path(recipe) / "test_package"))
assert "3, F32" in printed, printed
print("created, and a program of it ran")
