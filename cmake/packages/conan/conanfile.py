# SPDX-License-Identifier: MIT
"""Conan 2: conan create cmake/packages/conan --version=0.2.0, from a checkout of the sources."""
import os

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy


class ToeplitzConan(ConanFile):
    name = "toeplitz"
    license = "MIT"
    description = "Toeplitz neural operators on the CPU: exact, banded, interpolated and spectral"
    topics = ("toeplitz", "neural-networks", "convolution", "fft", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"io": [True, False], "fftw": [True, False]}
    default_options = {"io": True, "fftw": False}  # FFTW is under the GPL
    no_copy_source = True

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..", "..", "..")
        for pattern in ("CMakeLists.txt", "LICENSE", "README.md", "CHANGELOG.md", "cmake/*", "include/*", "docs/*", "examples/*"):
            copy(self, pattern, root, self.export_sources_folder, excludes="*/test_package/*")

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        self.requires("eigen/[>=3.4.0 <6]", transitive_headers=True)
        if self.options.io:
            self.requires("nlohmann_json/[>=3.11 <4]", transitive_headers=True)
        if self.options.fftw:
            self.requires("fftw/[>=3.3.10 <4]", transitive_headers=True)

    def package_id(self):
        self.info.clear()

    def validate(self):
        check_min_cppstd(self, 20)

    def generate(self):
        toolchain = CMakeToolchain(self)
        for part in ("TOEPLITZ_BUILD_TESTS", "TOEPLITZ_BUILD_BENCH", "TOEPLITZ_BUILD_EXAMPLES", "TOEPLITZ_BUILD_PROGRAM"):
            toolchain.cache_variables[part] = False
        toolchain.cache_variables["TOEPLITZ_FFTW"] = bool(self.options.fftw)
        toolchain.generate()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        cmake = CMake(self)
        cmake.configure()
        cmake.install()

    def package_info(self):
        # The library's own CMake package knows its components.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("share", "cmake", "toeplitz")]
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
