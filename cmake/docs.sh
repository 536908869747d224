#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes the documentation as a folder of HTML, which opens without a network: all pages, what they link to, and the
# reference of the headers.
#
#   bash cmake/docs.sh [DIRECTORY]     (build/docs; the first page is DIRECTORY/index.html)
set -euo pipefail
out=$(realpath -m "${1:-$(dirname "${BASH_SOURCE[0]}")/../build/docs}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

echo "== 1/3 Packages: pandoc, doxygen"
bash cmake/install_packages.sh pandoc doxygen

echo "== 2/3 Pages"
rm -rf "$out"
mkdir -p "$out/docs"
cp cmake/docs/style.css "$out"
cp -r docs/images "$out/docs/images"

title_of() { sed -n 's/^# //p' "$1" | head -1 | grep . || echo "${1##*/}"; }

# render PAGE FROM: the page PAGE.html of the Markdown in a file.
render() {
    local page=$1 depth=${1//[!\/]/}
    local root=${depth//\//../}
    mkdir -p "$out/$(dirname "$page")"
    pandoc --from gfm --to html5 --wrap preserve --template cmake/docs/template.html --lua-filter cmake/docs/links.lua \
        --metadata page="$page" --metadata root="${root:-.}" --variable root="$root" \
        --metadata title="$(title_of "$2")" --output "$out/${page%.md}.html" "$2"
}

pages=(README.md CHANGELOG.md docs/*.md docs/guide/*.md)
for page in "${pages[@]}"; do render "$page" "$page"; done

# Files that pages link to, and the examples.
scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT
for file in examples/*.cpp examples/widths/* LICENSE tests/package/strict_warnings.cmake; do
    { printf '# %s\n\n```%s\n' "$file" "$([[ $file == *.[ch]pp ]] && echo cpp)" && cat "$file" && printf '```\n'; } >"$scratch"
    render "files/$file.md" "$scratch"
done
{ printf '# Examples\n\n' && for file in examples/*.cpp; do printf '* [%s](%s.md)\n' "${file##*/}" "${file##*/}"; done; } >"$scratch"
render files/examples/index.md "$scratch"
{
    printf '# All pages\n\n'
    for page in "${pages[@]}"; do printf '* [%s](%s)\n' "$(title_of "$page")" "$page"; done
    printf '* [The examples](files/examples/index.md)\n'
} >"$scratch"
render pages.md "$scratch"
cp "$out/README.html" "$out/index.html"

echo "== 3/3 Reference"
version=$(sed -nE 's/^#define TOEPLITZ_VERSION_(MAJOR|MINOR|PATCH) ([0-9]+)$/\2/p' include/toeplitz/version.hpp | paste -sd.)
{ cat cmake/docs/Doxyfile && printf 'OUTPUT_DIRECTORY = "%s"\nPROJECT_NUMBER = %s\nWARN_LOGFILE = "%s"\n' \
    "$out" "$version" "$out/warnings.txt"; } | doxygen -
if [ -s "$out/warnings.txt" ]; then
    cat "$out/warnings.txt" >&2
    echo "The reference has $(wc -l <"$out/warnings.txt") warnings." >&2
    exit 1
fi
rm -f "$out/warnings.txt"
echo "Open $out/index.html"
