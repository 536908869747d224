// SPDX-License-Identifier: MIT
#pragma once

/// The one place the version is written: CMake and pkg-config read it from here.
#define TOEPLITZ_VERSION_MAJOR 0
#define TOEPLITZ_VERSION_MINOR 2
#define TOEPLITZ_VERSION_PATCH 0
