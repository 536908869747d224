#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What bash offers behind some beginnings of command lines.
#
#   completion.sh PROGRAM
set -u
source <("$1" completion bash)
failed=0
# expect WORD BEGINNING...: the last word of the beginning may become WORD, or nothing where it is "-".
expect() {
    local wanted=$1
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _toeplitz
    case " ${COMPREPLY[*]-} " in
        *" $wanted "*) return ;;
        "  ") [ "$wanted" != - ] || return 0 ;;
    esac
    echo "behind '$*': '$wanted' is not among '${COMPREPLY[*]-}'"
    failed=1
}
expect certify toeplitz cer
expect --version toeplitz --v
expect --tolerance toeplitz certify FILE --tol
expect --json toeplitz doctor --j
expect - toeplitz certify FILE --tolerance ""
expect "$0" toeplitz info "${0%.sh}"
exit "$failed"
