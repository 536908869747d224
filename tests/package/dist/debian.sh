#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes the Debian packages of a build, installs them into a fresh root, and uses them from there.
#
#   debian.sh BUILD_DIR WORK_DIR PROGRAM.cpp COMPILER CPACK
set -euo pipefail
build=$1 work=$2 source=$3 compiler=$4 cpack=$5
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

"$root/usr/bin/toeplitz" doctor --json | grep --quiet product_ns
"$root/usr/bin/toeplitz-certify" --help | grep --quiet -e --tolerance
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
