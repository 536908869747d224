// SPDX-License-Identifier: MIT
#pragma once

// Whether the unit computes and, where it has exceptions, refuses what it must.
bool first_unit();
bool second_unit();
