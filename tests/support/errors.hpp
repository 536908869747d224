// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Checks the type, the number and the whole message of an error.

#include <string>

#include <gtest/gtest.h>

#include <toeplitz/core/error.hpp>

namespace toeplitz::test {

/// \param message all of what(), from "[toeplitz." on
template <class Error, class F>
void expect_error(int id, const std::string& message, F&& f) {
    try {
        f();
    } catch (const Error& caught) {
        EXPECT_EQ(caught.id(), id);
        EXPECT_EQ(caught.what(), message);
        return;
    } catch (const std::exception& caught) {
        ADD_FAILURE() << "another kind of error: " << caught.what();
        return;
    }
    ADD_FAILURE() << "no error, expected: " << message;
}

}  // namespace toeplitz::test
