// SPDX-License-Identifier: MIT
/// \file
/// Sources of manual pages: any bytes are one, and what is left is no longer than they are.

#include <fuzz/mutator.hpp>

#include <examples/support/documents.hpp>

namespace toeplitz::test {

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of;
        of.seeds = {
            ".TH TAR 1\n.SH NAME\ntar \\- an archiver\n.SH \"SEE ALSO\"\n.BR gzip (1),\n\\fBcpio\\fR(1)\n",
            ".Dt GREP 1\n.Sh SEE ALSO\n.Xr sed 1\n.SH BUGS\nnone\\(em yet\\f(CWx\n", "\\", ".SH SEE ALSO",
            ""};
        of.words = {".SH ", "SEE ALSO\n", "\\fB", "\\f(CW", "\\(em", "(1)", ".BR ", "\n", "\\"};
        of.outcomes = {0};
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    const examples::ManualPage page = examples::parse_manual_page("guest(1)", input);
    promise(page.text.size() <= input.size() + 1, "text of the page");
    promise(!page.references.contains("guest(1)"), "references to others");
    for (const std::string& name : page.references) {
        promise(name.size() >= 4 && name.ends_with(')') && name[name.size() - 3] == '(',
                "names with a section");
    }
    return 0;
}

}  // namespace toeplitz::test
