#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks a folder of HTML: check_site.py DIRECTORY [CHROMIUM SCREENSHOTS]

Every link of our pages, and every picture, leads to a file, and to an anchor that is there; nothing is fetched from a network. With Chromium,
some pages are drawn: pictures have a size, tables stay within the page and have columns to read, and there are screenshots.
"""
import html.parser
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse


class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.fetched = set(), [], []
        self.feed(path.read_text(encoding="utf-8", errors="replace"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        for name in ("id", "name"):
            if attributes.get(name):
                self.ids.add(attributes[name])
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        for name in ("src", "href"):
            if tag in ("img", "script", "link", "object", "iframe") and attributes.get(name):
                self.fetched.append(attributes[name])


def check_links(site):
    pages = {path: Page(path) for path in site.rglob("*.html")}
    problems = []
    for path, page in pages.items():
        where = path.relative_to(site)
        for target in page.fetched:
            if re.match(r"(https?:)?//", target):
                problems.append(f"{where}: {target} comes from a network")
        # What Doxygen links to from page to page of its own is its business: 1.9.4 forgets some anchors of friends.
        for target in page.fetched + (page.links if where.parts[0] != "reference" else []):
            parts = urllib.parse.urlsplit(target)
            if parts.scheme or target.startswith("//"):
                continue
            file = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            if not file.is_file():
                problems.append(f"{where}: {target} leads nowhere")
            elif parts.fragment and file in pages and urllib.parse.unquote(parts.fragment) not in pages[file].ids:
                problems.append(f"{where}: {target}: no such anchor")
    print(f"{len(pages)} pages, {sum(len(page.links) for page in pages.values())} links")
    return problems


# What the browser says of a page that it has drawn, in its title.
PROBE = """<script>window.addEventListener('load', () => {
    const said = [];
    for (const image of document.images)
        if (image.naturalWidth < 2 || image.clientWidth < 40) said.push('picture ' + image.src);
    for (const table of document.querySelectorAll('main table')) {
        const box = table.getBoundingClientRect();
        if (box.left < 0 || box.right > window.innerWidth + 1) said.push('a table beyond the page');
        for (const cell of table.querySelectorAll('td, th'))
            if (cell.clientWidth < 12 || cell.clientHeight > 400 || (cell.textContent.length > 8 && cell.clientWidth < 40)) said.push('a cell that cannot be read: ' + cell.textContent.slice(0, 40));
    }
    if (document.documentElement.scrollWidth > window.innerWidth + 1) said.push('a page wider than the window');
    document.body.dataset.said = said.length + ' problems: ' + said.join('; ');
});</script>"""


def check_drawing(site, chromium, screenshots):
    screenshots.mkdir(parents=True, exist_ok=True)
    problems = []
    for name in ("README", "docs/guide/README", "docs/guide/9-numerics", "docs/conventions", "docs/performance", "docs/certificates"):
        page = site / f"{name}.html"
        if not page.is_file():
            continue
        probed = page.with_name(page.stem + ".probe.html")
        probed.write_text(page.read_text(encoding="utf-8").replace("</head>", PROBE + "</head>"), encoding="utf-8")
        with tempfile.TemporaryDirectory() as profile:
            flags = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--window-size=1100,1600",
                     "--virtual-time-budget=5000", "--allow-file-access-from-files"]
            try:
                shot = screenshots / (name.replace("/", "_") + ".png")
                subprocess.run([*flags, f"--screenshot={shot}", page.as_uri()], check=True, capture_output=True, timeout=200)
                if shot.stat().st_size < 10_000:
                    problems.append(f"{name}: an empty screenshot")
                drawn = subprocess.run([*flags, "--dump-dom", probed.as_uri()], check=True, capture_output=True, text=True, timeout=200).stdout
            finally:
                probed.unlink()
        said = re.search(r'data-said="(\d+) problems: ([^"]*)"', drawn)
        if not said:
            problems.append(f"{name}: the browser says nothing")
        elif said.group(1) != "0":
            problems.append(f"{name}: {said.group(2)}")
    return problems


def main():
    site = pathlib.Path(sys.argv[1]).resolve()
    problems = check_links(site)
    if len(sys.argv) > 3:
        problems += check_drawing(site, sys.argv[2], pathlib.Path(sys.argv[3]).resolve())
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
