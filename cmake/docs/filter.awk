# SPDX-License-Identifier: MIT
# What Doxygen reads of a header: without what it does not understand, and with the sentences of members.txt before
# declarations that many classes share, and no header repeats: length(), Scalar, for_each_option, ...
#
#   awk -f filter.awk members.txt HEADER.hpp

FNR == NR {
    if ($0 !~ /^# / && (at = index($0, " = ")) > 0) about[substr($0, 1, at - 1)] = substr($0, at + 3)
    next
}
FNR == 1 { file = FILENAME; sub(/.*include\/toeplitz\//, "", file) }

{
    sub(/::inline TOEPLITZ_ABI/, "")
    gsub(/TOEPLITZ_INLINE |\[\[gnu::[^]]*\]\] ?|\[\[unlikely\]\]/, "")
}

function flush() {
    if (held != "") printf "%s", held
    held = ""
}

# The name that a line declares.
function declared(line,    text) {
    text = line
    sub(/^#define /, "", text)
    gsub(/decltype\(auto\)|noexcept\(.*|requires\(.*/, "", text)
    sub(/ __attribute__.*/, "", text)
    if (match(text, /using [A-Za-z]+ =/)) return substr(text, RSTART + 6, RLENGTH - 8)
    if (match(text, /^ *(class|struct|enum class) [A-Za-z]+/)) {
        sub(/^ *(class|struct|enum class) /, "", text)
        match(text, /^[A-Za-z]+/)
        return substr(text, 1, RLENGTH)
    }
    if (text ~ /(^|[^A-Za-z_])operator[^A-Za-z_]/) {
        match(text, /operator *([^ (]+|\(\))/)
        return substr(text, RSTART, RLENGTH)
    }
    at = index(text, "(")
    if (at > 0 && (index(text, " = ") == 0 || index(text, " = ") > at)) {
        text = substr(text, 1, at - 1)
    } else {
        sub(/( = .*|\{.*|;.*)$/, "", text)
        sub(/\[[^\]]*\]$/, "", text)
    }
    match(text, /[A-Za-z_0-9]+$/)
    return RSTART > 0 ? substr(text, RSTART, RLENGTH) : ""
}

function sentence(name) {
    if ((file ":" name) in about) return about[file ":" name]
    if (name in about) return about[name]
    if (name ~ /.Options$/) return "Options of " substr(name, 1, length(name) - 7) "."
    if (name ~ /.Cache$/) return "What backward() of " substr(name, 1, length(name) - 5) " needs of a forward call; its memory is kept from call to call."
    if (name ~ /.Parameters$/) return "Parameters of " substr(name, 1, length(name) - 10) "."
    return ""
}

/^ *\/\/\// { flush(); documented = 1; print; next }
/^(class|struct) .*[^;]$/ { in_class = 1 }
/^    (class|struct) .*\{$/ { in_nested = 1 }
/^ *template <|^ *requires|^ *private:|^ *public:|^ *protected:/ && !/[;{]$/ {
    if (/^ *template/ || held != "") held = held $0 "\n"
    else print
    next
}
{
    match($0, /^ */)
    indent = RLENGTH
    if (indent == 0 || (indent == 4 && in_class) || (indent == 8 && in_nested)) {
        if (!documented && $0 !~ /\/\/\/</ && $0 !~ /^ *($|\/\/|#[^d]|\}|return|friend |if |for |while |else|namespace|static_assert|case |: )/) {
            words = sentence(declared($0))
            if (words != "") printf "%*s/// %s\n", indent, "", words
        }
    }
    flush()
    print
    documented = 0
}
/^    \};/ { in_nested = 0 }
/^\};/ { in_class = 0 }
END { flush() }
