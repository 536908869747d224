// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// PNG images in grey, by libpng.

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <png.h>

#include <toeplitz/core/types.hpp>

namespace examples {

struct GreyImage {
    toeplitz::Index height = 0;
    toeplitz::Index width = 0;
    std::vector<unsigned char> pixels{};  ///< row by row
};

/// The content of a PNG file of up to 4096² pixels; colours become grey.
/// \throws std::runtime_error
inline GreyImage parse_png(std::string_view content, const std::string& path) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    const auto refuse = [&](const std::string& why) {
        png_image_free(&image);
        throw std::runtime_error("cannot read '" + path + "' as PNG: " + why);
    };
    if (png_image_begin_read_from_memory(&image, content.data(), content.size()) == 0) refuse(image.message);
    image.format = PNG_FORMAT_GRAY;
    if (image.height > 4096 || image.width > 4096) refuse("more than 4096 pixels in a row or column");
    GreyImage grey{image.height, image.width,
                   std::vector<unsigned char>(std::size_t{image.height} * image.width)};
    const png_color black{0, 0, 0};
    if (png_image_finish_read(&image, &black, grey.pixels.data(), 0, nullptr) == 0) refuse(image.message);
    return grey;
}

/// \throws std::runtime_error where it cannot be written
inline void write_png(const GreyImage& grey, const std::string& path) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.format = PNG_FORMAT_GRAY;
    image.height = static_cast<png_uint_32>(grey.height);
    image.width = static_cast<png_uint_32>(grey.width);
    if (png_image_write_to_file(&image, path.c_str(), 0, grey.pixels.data(), 0, nullptr) == 0) {
        throw std::runtime_error("cannot write '" + path + "': " + image.message);
    }
}

}  // namespace examples
