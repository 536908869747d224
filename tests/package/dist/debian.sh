#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes the Debian packages of a build, installs them into a fresh root, and uses them from there.
#
#   debian.sh BUILD_DIR WORK_DIR PROGRAM.cpp COMPILER CPACK VERSION
set -euo pipefail
build=$1 work=$2 source=$3 compiler=$4 cpack=$5 version=$6
rm -rf "$work"
mkdir -p "$work"
"$cpack" --config "$build/CPackConfig.cmake" -G DEB -B "$work/packages" >"$work/cpack.log" || { cat "$work/cpack.log"; exit 1; }
packages=("$work"/packages/*.deb)
printf '%s\n' "${packages[@]##*/}"
for name in libtoeplitz-dev toeplitz-tools; do
    [ -e "$work"/packages/"$name"_*.deb ] || { echo "no package $name"; exit 1; }
done
for package in "${packages[@]}"; do
    for field in Package Version Architecture Depends Maintainer Description; do
        [ -n "$(dpkg-deb --field "$package" "$field")" ] || { echo "$package: no field $field"; exit 1; }
    done
done

root=$work/root
mkdir -p "$root"/var/lib/dpkg/{info,updates,triggers}
touch "$root"/var/lib/dpkg/{status,available}
# What they depend on is this system's.
dpkg --root="$root" --force-not-root --force-depends --log="$work/dpkg.log" --install "${packages[@]}" \
    >"$work/install.log" 2>&1 || { cat "$work/install.log"; exit 1; }

# Libraries come along; a compiler and what else a program takes does where nobody minds.
dpkg-deb --field "$work"/packages/toeplitz-tools_*.deb Depends | grep --quiet --fixed-strings libstdc++6
for name in g++ pkg-config nlohmann-json3-dev; do
    dpkg-deb --field "$work"/packages/libtoeplitz-dev_*.deb Recommends | grep --quiet --fixed-strings "$name" ||
        { echo "$name is not recommended"; exit 1; }
done

toeplitz=$root/usr/bin/toeplitz
[ "$("$toeplitz" --version)" = "$version" ] || { echo "not version $version"; exit 1; }
"$toeplitz" doctor --json | grep --quiet product_ns
"$toeplitz" completion bash | cmp - "$root/usr/share/bash-completion/completions/toeplitz"
"$toeplitz" man | cmp - "$root/usr/share/man/man1/toeplitz.1"
"$root/usr/bin/toeplitz-certify" --help | grep --quiet -e --tolerance
# A causal kernel of one channel, 1 at lag 0 and 2 at lag 1, and three steps for it.
tensor() {  # NAME STEPS BYTES...
    local json
    json=$(printf '{"%s":{"dtype":"F32","shape":[%d,1],"data_offsets":[0,%d]}}' "$1" "$2" $((4 * $2)))
    printf "\\x$(printf %02x ${#json})\0\0\0\0\0\0\0%s" "$json"
    printf '%b' "${@:3}"
}
one='\0\0\x80\x3f' two='\0\0\x00\x40'
tensor lags 2 "$one" "$two" >"$work/kernel"
tensor x 3 "$one" "$one" "$two" >"$work/x"
"$toeplitz" info "$work/kernel" | grep --quiet lags
"$toeplitz" stream "$work/kernel" --input "$work/x" --out "$work/y" >"$work/stream.log"
# 1, 1 + 2, 2 + 2
tail --bytes 12 "$work/y" | cmp - <(printf '%b' "$one" '\0\0\x40\x40' '\0\0\x80\x40')
for file in usr/share/man/man1/toeplitz.1 usr/share/bash-completion/completions/toeplitz \
    usr/share/doc/libtoeplitz-dev/copyright usr/share/doc/toeplitz-tools/copyright \
    usr/share/doc/toeplitz/docs/guide/1-apply.md usr/share/doc/toeplitz/examples/01_apply_toeplitz.cpp; do
    [ -s "$root/$file" ] || { echo "no /$file"; exit 1; }
done
export PKG_CONFIG_PATH=$root/usr/share/pkgconfig
# shellcheck disable=SC2046  # several words
"$compiler" -std=c++20 "$source" -o "$work/program" $(pkg-config --define-prefix --cflags toeplitz)
"$work/program"
echo "installed and used"
