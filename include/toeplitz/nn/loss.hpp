// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What training makes small, as sums over the batch, so that parts of a batch add up.

#include <toeplitz/nn/cross_entropy.hpp>
#include <toeplitz/nn/element_loss.hpp>
