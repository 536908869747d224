# SPDX-License-Identifier: MIT
# Makes one program of the C++ in Markdown files, and checks their programs and links.
#
#   awk -v out=DIR -f snippets.awk EXAMPLE.cpp... PAGE.md...
#
# * A ```cpp block with main() is a program: it has to be one of the examples, word for word but for the licence.
#   An ```output block after it is what the example prints: DIR/<example>.txt, for the example's test.
# * Any other ```cpp block is statements, as if after #include <toeplitz/toeplitz.hpp> and using namespace toeplitz.
#   What they need beside is in a comment before the block,
#
#       <!-- given
#       const Matrix<float> x = Matrix<float>::Random(8, 2);
#       -->
#
#   With a line "..." in the comment, the block takes its place and all of it is at namespace scope, where run() is
#   what to run. <!-- goes on --> makes a block go on with the statements of the one before.
# * Each is a function of its own, in DIR/snippets.cpp or, as two sources compile side by side, DIR/more_snippets.cpp; main()
#   of the first runs them.
# * A link to a file needs the file, one to a heading the heading.

function fail(line, message) {
    print FILENAME ":" line ": " message > "/dev/stderr"
    failed = 1
}

function source_of(page) { return page < "docs/m" ? "snippets" : "more_snippets" }

function emit(text) { code[source] = code[source] text "\n" }

# #include lines go to the top, where blank lines keep the numbers right.
function statement(text) {
    if (text !~ /^#include /) return text
    if (!((source, text) in included)) {
        included[source, text] = 1
        includes[source] = includes[source] text "\n"
    }
    return ""
}

function finish_unit() {
    if (!open_unit) return
    if (at_namespace_scope) {
        emit(body)
        emit(after)
    } else {
        emit("void run() {\n" before body "}")
    }
    emit("}  // namespace")
    runs_declared = runs_declared "namespace snippet_" unit " {\nvoid run();\n}\n"
    runs = runs "    std::puts(\"-- " unit_name "\");\n    snippet_" unit "::run();\n"
    open_unit = 0
    at_namespace_scope = 0
}

function start_unit(line) {
    finish_unit()
    ++unit
    open_unit = 1
    unit_name = FILENAME ":" line
    before = after = body = ""
    emit("namespace snippet_" unit " {\nusing namespace toeplitz;")
    if (given != "") {
        split_at = index("\n" given, "\n...\n")
        if (split_at > 0) {
            at_namespace_scope = 1
            emit("#line " given_line " \"" FILENAME "\"\n" substr(given, 1, split_at - 1))
            after = substr(given, split_at + 4)
        } else {
            before = "#line " given_line " \"" FILENAME "\"\n" given
        }
    }
    given = ""
}

function end_of_cpp(line,    lines, count, i, statements) {
    if (block ~ /(^|\n)int main\(/) {
        program = ""
        for (name in examples) {
            if (examples[name] == block) program = name
        }
        if (program == "") fail(line, "this program is none of the examples")
        return
    }
    program = ""
    if (!goes_on) start_unit(line)
    if (goes_on && !open_unit) fail(line, "there is no block to go on with")
    goes_on = 0
    count = split(block, lines, "\n")
    for (i = 1; i < count; ++i) statements = statements statement(lines[i]) "\n"
    body = body "#line " line + 1 " \"" FILENAME "\"\n" statements
}

function slug(text) {
    gsub(/`/, "", text)
    text = tolower(text)
    gsub(/[^a-z0-9 _-]/, "", text)
    gsub(/ /, "-", text)
    return text
}

function base_name(path) {
    sub(/.*\//, "", path)
    sub(/\.[^.]*$/, "", path)
    sub(/^[0-9]+_/, "", path)
    return path
}

FNR == 1 {
    is_example = FILENAME ~ /\.cpp$/
    fence = given = ""
    in_given = goes_on = 0
    finish_unit()
    source = source_of(FILENAME)
    pages[FILENAME] = 1
}

is_example {
    if (FNR > 1) examples[FILENAME] = examples[FILENAME] $0 "\n"
    next
}

fence == "" && /^<!-- given$/ { in_given = 1; given = ""; given_line = FNR + 1; next }
in_given && /^-->$/ { in_given = 0; next }
in_given { given = given statement($0) "\n"; next }
fence == "" && /^<!-- goes on -->$/ { goes_on = 1; next }

/^ *```/ {
    if (fence == "") {
        fence = $0
        sub(/^ *```/, "", fence)
        if (fence == "") fence = "text"
        fence_line = FNR
        block = ""
    } else {
        if (fence == "cpp") end_of_cpp(fence_line)
        if (fence == "output") {
            if (program == "") {
                fail(fence_line, "this output follows no program")
            } else {
                printf "%s", block > (out "/" base_name(program) ".txt")
            }
        }
        fence = ""
    }
    next
}
fence != "" {
    block = block $0 "\n"
    next
}

/^#+ / {
    heading = $0
    sub(/^#+ /, "", heading)
    anchors[FILENAME "#" slug(heading)] = 1
}

{
    rest = $0
    gsub(/`[^`]*`/, "", rest)
    while (match(rest, /\]\([^)]*\)/)) {
        target = substr(rest, RSTART + 2, RLENGTH - 3)
        rest = substr(rest, RSTART + RLENGTH)
        if (target ~ /^https?:/) continue
        links[++link_count] = target
        link_page[link_count] = FILENAME
        link_line[link_count] = FNR
    }
}

# a/b/../c is a/c.
function tidy(path) {
    while (match(path, /[^\/]+\/\.\.\//)) path = substr(path, 1, RSTART - 1) substr(path, RSTART + RLENGTH)
    return path
}

END {
    finish_unit()
    for (i = 1; i <= link_count; ++i) {
        FILENAME = link_page[i]
        folder = link_page[i]
        if (!sub(/[^\/]*$/, "", folder)) folder = ""
        split(links[i], parts, "#")
        path = parts[1] == "" ? link_page[i] : tidy(folder parts[1])
        if (system("test -e '" path "'") != 0) fail(link_line[i], "no file " path)
        if (index(links[i], "#") && path in pages && !((path "#" parts[2]) in anchors)) {
            fail(link_line[i], "no heading for " links[i])
        }
    }
    for (source in code) {
        file = out "/" source ".cpp"
        print "// Made of the documentation by tests/docs/snippets.awk.\n#include <cstdio>\n#include <exception>\n\n" \
              "#include <toeplitz/toeplitz.hpp>\n" includes[source] code[source] > file
    }
    print runs_declared "int main() try {\n" runs "    return 0;\n} catch (const std::exception& error) {\n" \
          "    std::puts(error.what());\n    return 1;\n}" > (out "/snippets.cpp")
    exit failed
}
