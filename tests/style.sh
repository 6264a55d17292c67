#!/usr/bin/env bash
# Rules of style that a program can check. TAP on standard output.
#   tests/style.sh BUILD           checks this repository and the archives in the folder BUILD, then that each check
#                                  finds a planted violation
#   tests/style.sh BUILD FOLDER    prints the violations of the tree in FOLDER; exit 1 when there are any
set -uo pipefail

rooms='include runtime hub onnx calib quant pack export eval face flow cli bench'

# Macros that are parameters of a file compiled several times: whoever includes the file defines them.
templates='X OP ROW REAL VLM_KIND TILE_[A-Z_]* VEC VEC_[A-Z]* vec_[a-z_]* HALF half_[a-z]* REGISTER STEP VLM_OP_ROW VLM_ROW_[A-Z]*'
# Headers of that kind: they do not stand alone.
bodies='_(body|tile)\.h$|/vec_[a-z0-9]*\.h$'
# Functions of more than six parameters, to be cut; nothing may be added here.
wide_functions='vlm_decoder_first vlm_decoder_step vlm_task_parse_ids vlm_tok_grow window_sum'
# Where operators are still told by name; nothing may be added here.
operators_by_name=''
# Who knows operators by name: their rows, lowering, graphs, files. Tokenizers have steps of the same names.
operator_rooms='runtime/ops/ runtime/lower/ runtime/graph/ runtime/text/ onnx/ export/'

# Both checks of names read C without its comments and texts; line numbers stay.
strip='
  function strip(line,   out, at) {
    gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
    while (1) {
      if (inside) {
        if (!(at = index(line, "*/"))) return out
        line = substr(line, at + 2)
        inside = 0
      }
      if (!(at = index(line, "/*"))) return out line
      out = out substr(line, 1, at - 1)
      line = substr(line, at + 2)
      inside = 1
    }
  }
  FNR == 1 { inside = 0 }
'
# is_in(NAME, LIST): is it one of the words (each a pattern)?
is_in='
  function is_in(name, list,   words, n, i) {
    n = split(list, words, " ")
    for (i = 1; i <= n; i++) if (name ~ ("^" words[i] "$")) return 1
    return 0
  }
'

sources() { find "$@" -name '*.[ch]' | LC_ALL=C sort; }

# A type has one definition in the whole tree, private ones of a .c file too; a type of a test may not be one of a
# header.
types() {
  sources $rooms tests | xargs awk "$strip"'
    function last_word(text) { sub(/[^A-Za-z0-9_]*$/, "", text); sub(/^.*[^A-Za-z0-9_]/, "", text); return text }
    function define(name,   test) {
      test = FILENAME ~ /^tests\//
      if (!(name in file)) {
        if (!test || FILENAME ~ /\.h$/) file[name] = FILENAME
        return
      }
      if (file[name] == FILENAME) return
      if (test && file[name] !~ /\.h$/) return
      print FILENAME ":" FNR ": type " name " is already in " file[name]
    }
    {
      line = strip($0)
      gsub(/__attribute__ *\(\(.*\)\)/, "", line)
      if (match(line, /^(typedef )?(struct|enum|union) [A-Za-z0-9_]+ \{/)) {
        sub(/ \{.*/, "", line)
        define(last_word(line))
      } else if (line ~ /^\} *[A-Za-z0-9_]+;/) {
        define(last_word(line))
      } else if (line ~ /^typedef .*\(\*[A-Za-z0-9_]+\)/) {
        sub(/^[^*]*\(\*/, "", line)
        sub(/\).*/, "", line)
        define(line)
      } else if (line ~ /^typedef [^{}]*;/ && line !~ /^typedef (struct|enum|union) ([A-Za-z0-9_]+) [A-Za-z0-9_]+;/) {
        sub(/\(.*/, "", line)
        define(last_word(line))
      }
    }'
}

# A macro has one definition, and a function of a header is defined nowhere else, not even as a static one.
macros() {
  sources $rooms | xargs awk -v templates="$templates" -v bodies="$bodies" "$strip$is_in"'
    function note(kind, name) {
      if (!((kind, name) in file)) file[kind, name] = FILENAME
      else if (file[kind, name] != FILENAME) print FILENAME ":" FNR ": " kind " " name " is already in " file[kind, name]
    }
    {
      line = strip($0)
      if (match(line, /^ *# *define [A-Za-z0-9_]+/)) {
        name = substr(line, RSTART, RLENGTH)
        sub(/.* /, "", name)
        if (!is_in(name, templates) && name !~ /^_[A-Z]+_SOURCE$/) note("macro", name) # a file asks for what it needs
      } else if (FILENAME ~ /\.h$/ && FILENAME !~ bodies && line ~ /^static inline .*\(/) {
        sub(/\(.*/, "", line)
        sub(/.*[ *]/, "", line)
        note("function", line)
        inline[line] = FILENAME
      } else if (line ~ /^[A-Za-z].*\(/ && line !~ /;[ ]*$/) {
        sub(/\(.*/, "", line)
        sub(/.*[ *]/, "", line)
        at[line] = at[line] " " FILENAME ":" FNR
      }
    }
    END {
      for (name in inline) {
        n = split(at[name], places, " ")
        for (i = 1; i <= n; i++)
          if (index(places[i], inline[name] ":") != 1 && places[i] !~ /_(body|tile)\.h:/)
            print places[i] ": function " name " is already in " inline[name]
      }
    }'
}

# Files of at most 500 lines, functions of at most 50.
sizes() {
  sources $rooms tests | xargs awk '
    function end_file() { if (last > 500) print name ":" last ": " last " lines, wanted at most 500" }
    FNR == 1 { end_file(); name = FILENAME; open = 0; start = 0 }
    { last = FNR }
    /^[A-Za-z_]/ && !/;[ ]*$/ { head = FNR }
    /\) \{$/ && (/^[A-Za-z_]/ || (!open && /^ /)) { open = 1; start = head }
    /^\}/ {
      if (open && FNR - start + 1 > 50)
        print FILENAME ":" start ": a function of " FNR - start + 1 " lines, wanted at most 50"
      open = 0
    }
    END { end_file() }'
}

# Functions of at most six parameters: more take a struct, whose fields have names.
parameters() {
  sources runtime quant | xargs awk -v known="$wide_functions" "$strip$is_in"'
    # The parameters of a head that is complete, or 0.
    function count(head,   i, c, depth, n) {
      if (!(i = index(head, "("))) return 0
      for (n = 1; i <= length(head); i++) {
        c = substr(head, i, 1)
        depth += c == "(" ? 1 : c == ")" ? -1 : 0
        n += c == "," && depth == 1
        if (!depth) return n
      }
      return 0
    }
    { line = strip($0) }
    FNR == 1 { head = "" }
    line ~ /^[A-Za-z_].*\(/ { head = ""; start = FNR; open = 1 }
    open {
      head = head line
      if (!(n = count(head))) next
      open = 0
      name = head
      sub(/\(.*/, "", name)
      sub(/.*[^A-Za-z0-9_]/, "", name)
      if (n > 6 && !is_in(name, known)) print FILENAME ":" start ": " name " has " n " parameters, wanted at most 6"
    }'
}

# Every header can be included alone.
headers() {
  local flags
  flags="-I. -Iinclude -I$1/generated $(pkg-config --cflags hdf5 2>/dev/null || pkg-config --cflags hdf5-serial)"
  find $rooms -name '*.h' | grep -vE "$bodies" | LC_ALL=C sort | xargs -P "$(nproc)" -I {} bash -c '
    said=$(echo "#include \"$0\"" | ${CC:-cc} -std=c11 -D_XOPEN_SOURCE=700 -Wall -Werror -fsyntax-only $1 -xc - 2>&1)
    [ $? = 0 ] || echo "$0:1: does not compile alone: $(grep -m 1 error <<<"$said")"' {} "$flags"
}

# Nothing leaves the libraries without the prefix. The reader of ONNX files is generated.
symbols() {
  local archive
  for archive in "$1"/lib*.a; do
    case ${archive##*/} in libvlmq-onnx-proto.a | libtests-*) continue ;; esac
    nm -g --defined-only "$archive" 2>/dev/null | awk -v archive="${archive##*/}" '
      NF == 3 && $3 !~ /^(vlm_|__asan_|__odr_asan|__ubsan_)/ { print archive ": symbol " $3 " has no prefix vlm_" }'
  done
}

# What an operator is, its row and its traits say; nobody else compares names.
operators() {
  local names
  names=$(sed -nE 's/^ *VLM_OP_ROW\("[^"]*", "([A-Za-z0-9]+)".*/\1/p' runtime/ops/*.def | sort -u | tr '\n' ' ')
  sources $rooms | xargs awk -v names="$names" -v rooms="$operator_rooms" -v known="$operators_by_name" "$is_in"'
    BEGIN {
      n = split(names, list, " ")
      for (i = 1; i <= n; i++) is_name[list[i]] = 1
      n_rooms = split(rooms, room, " ")
    }
    FNR == 1 {
      skip = is_in(FILENAME, known)
      for (i = 1; i <= n_rooms; i++) if (index(FILENAME, room[i]) == 1) skip = 1
    }
    skip || /^ *(\/\*|\*)/ { next }
    /strn?(case)?cmp\([^()]*op_type[^()]*"/ { print FILENAME ":" FNR ": compares the name of an operator"; next }
    {
      line = $0
      while (match(line, /"[A-Za-z0-9]+"/)) {
        word = substr(line, RSTART + 1, RLENGTH - 2)
        line = substr(line, RSTART + RLENGTH)
        if (word in is_name) print FILENAME ":" FNR ": the operator name \"" word "\""
      }
    }'
}

# Pointers are never written under another type: vlm_new, vlm_more and vlm_arena_new know the type.
casts() {
  sources $rooms tests | xargs awk '/\((const )?void \*\*\)/ { print FILENAME ":" FNR ": a cast to (void **)" }'
}

# check NAME TREE BUILD
check() { (cd "$2" && "$1" "$3"); }
checks='types macros sizes parameters headers symbols operators casts'

if [ $# = 2 ]; then
  found=$(for name in $checks; do check "$name" "$2" "$1"; done)
  [ -z "$found" ] || { echo "$found"; exit 1; }
  exit 0
fi

build=$(cd "${1:?the folder of the build}" && pwd) || exit 1
cd "$(dirname "$0")/.." || exit 1
rc=0
at=0

# report DESCRIPTION FOUND: nothing may be found.
report() {
  local found=$2
  at=$((at + 1))
  [ -n "$found" ] || { echo "ok $at - $1"; return; }
  echo "not ok $at - $1"
  sed 's/^/# /' <<<"$found"
  rc=1
}

# plant CHECK DESCRIPTION PATTERN FILE: appends standard input to FILE of a copy; one new violation, of PATTERN, must be
# found.
plant() {
  local copy found
  copy=$(mktemp -d)
  find $rooms tests -name '*.[ch]' -o -name '*.def' | xargs cp --parents -t "$copy"
  cat >>"$copy/$4"
  found=$(check "$1" "$copy" "$build" | grep -vxF "${known[$1]:-nothing is known to be wrong}")
  rm -rf "$copy"
  [ "$(grep -c . <<<"$found")" = 1 ] && grep -qE "$3" <<<"$found" && found= || found="found: $found"
  report "$2" "$found"
}

# An archive with a symbol of its own beside the real ones.
plant_symbol() {
  local copy found
  copy=$(mktemp -d)
  echo 'int stray;' | ${CC:-cc} -xc -c -o "$copy/stray.o" - && ar rc "$copy/libstray.a" "$copy/stray.o"
  found=$(check symbols . "$copy")
  rm -rf "$copy"
  [ "$found" = 'libstray.a: symbol stray has no prefix vlm_' ] && found= || found="found: $found"
  report "$1" "$found"
}

echo 1..21
declare -A known title=(
  [types]='types have one definition'
  [macros]='macros and functions of headers have one definition'
  [sizes]='files of at most 500 lines, functions of at most 50'
  [parameters]='functions of at most six parameters'
  [headers]='every header compiles alone'
  [symbols]='no symbol without prefix'
  [operators]='operators are told by their rows'
  [casts]='no cast to (void **)'
)
for name in $checks; do
  known[$name]=$(check "$name" . "$build")
  report "${title[$name]}" "${known[$name]}"
done
plant types "a type named twice" 'type vlm_tensor is already' runtime/text/tokenizer.c <<<'typedef struct vlm_tensor {'
plant types "a private type named twice" 'type loop is already' runtime/base/file.c <<<'} loop;'
plant types "a test's type that a header has" 'type vlm_graph is already' tests/base/test_json.c <<<'struct vlm_graph {'
plant macros "a macro defined twice" 'macro VLM_ALIGN is already' eval/cider.c <<<'  #define VLM_ALIGN 32'
plant macros "a header's function defined twice" 'function vlm_size_align is already' eval/cider.c \
  <<<'static int vlm_size_align(int a) {'
plant sizes "a function of 51 lines" 'a function of 51 lines' cli/open.c \
  < <(echo 'static void longer(void) {'; yes '  ;' | head -n 49; echo '}')
plant sizes "a file of more than 500 lines" 'wanted at most 500' eval/cider.c < <(yes '/* more */' | head -n 500)
plant parameters "a function of seven parameters" 'too_many has 7 parameters' quant/weight.c \
  < <(echo 'static int too_many(int a, int b, int (*c)(int, int),'; echo '                    int d, int e, int f, int g) {')
plant headers "a header that does not stand alone" 'cider.h:1: does not compile alone' eval/cider.h <<<'vlm_unknown *vlm_f(void);'
plant_symbol "a symbol without prefix"
plant operators "an operator told by name" 'the operator name "MatMul"' runtime/exec/session.c \
  <<<'static int product(const vlm_node *n) { return strcmp(n->op_type, other) == 0 || same(n, "MatMul"); }'
plant casts "a cast to (const void **) in a test" 'a cast to \(void \*\*\)' tests/fine.h <<<'  get((const void **)&block);'
plant casts "a cast to (void **)" 'a cast to \(void \*\*\)' pack/open.c <<<'  vlm_alloc((void **)&block, 1, 1, err);'
exit $rc
