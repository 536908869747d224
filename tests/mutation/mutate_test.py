#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The mutants that mutate.py makes, and whether it tells killed from surviving ones."""

import contextlib
import io
import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # not into the source tree

import mutate


def changes(text):
    return [(old.strip(), new) for _, old, new, _ in mutate.mutants_of(text)]


class MutantsTest(unittest.TestCase):
    def test_operators_between_blanks_become_others(self):
        self.assertEqual(changes("y = a + b;"), [("+", "-")])
        self.assertEqual(changes("y = a <= b && c;"), [("<=", "<"), ("&&", "||")])
        self.assertEqual(changes("y += x;"), [("+=", "-=")])

    def test_numbers_move_by_one(self):
        self.assertEqual(changes("y = x[2];"), [("2", "1"), ("2", "3")])
        self.assertEqual(changes("y = 0;"), [("0", "1")])
        self.assertEqual(changes("y = 0.5;"), [("0.5", "(0.5 + 1)")])

    def test_signs_negations_steps_and_names(self):
        self.assertEqual(changes("return -x;"), [("-", "")])
        self.assertEqual(changes("f(!x);"), [("!", "")])
        self.assertEqual(changes("++i"), [("++", "--")])
        self.assertEqual(changes("y = std::min(a, b);"), [("min", "max")])

    def test_conditions_turn_as_a_whole(self):
        self.assertIn(("if (f(a) || b)", "if (!(f(a) || b))"), changes("    if (f(a) || b) return;"))

    def test_statements_go(self):
        self.assertIn(("sum.add(x);", ";"), changes("    sum.add(x);\n"))
        for declaration in ("    Index n = f(x);\n", "    return f(x);\n", "    const auto y = f(x);\n",
                            "    Matrix<S> y(x);\n"):
            self.assertNotIn((declaration.strip(), ";"), changes(declaration))

    def test_what_does_not_run_stays(self):
        for text in ("// a + b", "/* a + b */", 'f("a + b");', "static_assert(sizeof(T) == 4);", "#if A == 2\n",
                     "template <class T, int N = 2>\n", "std::vector<int> v;", "F&& f;", "int* p;"):
            self.assertEqual(changes(text), [], text)

    def test_places_are_those_of_the_text(self):
        text = "// +\ny = a - b;"
        offset, old, new, _ = mutate.mutants_of(text)[0]
        self.assertEqual(text[:offset] + new + text[offset + len(old):], "// +\ny = a + b;")


class ProgramsTest(unittest.TestCase):
    def test_the_table_names_what_there_is(self):
        for header, programs in mutate.PROGRAMS.items():
            self.assertTrue((mutate.ROOT / "include/toeplitz" / header).is_file(), header)
            for program in programs:
                self.assertTrue((mutate.ROOT / "tests" / program).is_file(), program)

    def test_a_test_of_the_headers_name_covers_it(self):
        self.assertEqual(mutate.programs_of("operators/band.hpp", mutate.ROOT), ["unit/operators/band_test.cpp"])
        self.assertEqual(mutate.programs_of("operators/none.hpp", mutate.ROOT), [])

    def test_support_is_linked_as_far_as_it_is_included(self):
        linked = [path.name for path in mutate.sources_of("unit/operators/sum_test.cpp", mutate.ROOT)]
        self.assertEqual(linked[0], "sum_test.cpp")
        self.assertIn("random.cpp", linked)
        self.assertEqual(len(linked), len(set(linked)))
        self.assertNotIn("mixer_check.cpp", linked)
        self.assertIn("any_operator_float.cpp",
                      [path.name for path in mutate.sources_of("unit/operators/ski_test.cpp", mutate.ROOT)])


class RunTest(unittest.TestCase):
    def test_tells_killed_from_surviving_mutants(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            header = root / "include/toeplitz/sample.hpp"
            test = root / "tests/sample_test.cpp"
            for path in (header, test):
                path.parent.mkdir(parents=True)
            header.write_text("inline int larger(int a, int b) { return a < b ? b : a; }\n"
                              "inline int doubled(int a) { return a + a; }\n"
                              "inline int untested(int a) { return a * a; }\n")
            test.write_text("#include <toeplitz/sample.hpp>\n"
                            "TEST(Sample, Works) { EXPECT_EQ(larger(1, 2), 2); EXPECT_EQ(doubled(3), 6); }\n")
            out = root / "out.json"
            words = ["sample.hpp", "--root", folder, "--programs", "sample_test.cpp", "--out", str(out), "--jobs", "2",
                     "--libraries", "", "--fail-below", "50"]
            words += ["--compiler", os.environ.get("CXX", "g++"), "--eigen", os.environ.get("EIGEN", "/usr/include/eigen3")]
            with contextlib.redirect_stdout(io.StringIO()) as said:
                status = mutate.main(words)
            results = json.loads(out.read_text())["headers"][0]["results"]
            self.assertEqual([(one["line"], one["old"], one["outcome"]) for one in results],
                             [(1, "<", "survived"), (2, "+", "killed"), (3, "*", "survived")])
            self.assertEqual(status, 1, "a third is below a half")
            self.assertIn("33.3%", said.getvalue())


if __name__ == "__main__":
    unittest.main()
