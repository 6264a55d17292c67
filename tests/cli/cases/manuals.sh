# Manual pages and completion files: written at build time, from the tables alone.
manuals=$BIN/manuals
programs='vlm-calibrate vlm-quantize vlm-eval vlm-run vlm-inspect'
if [ ! -d "$manuals" ]; then
  skip "manuals" "this build has none"
  return 0 2>/dev/null || exit 0
fi

# ---- pages ----
for program in $programs; do
  page=$manuals/man1/$program.1
  missing=
  for option in $($program --help | sed -nE 's/^  (-[-a-z0-9]*)(, (-[-a-z0-9]*))?.*/\1 \3/p'); do
    grep -qF -- "${option//-/\\-}" "$page" || missing="$missing $option"
  done
  that "$program.1 has every option" test -z "$missing"
  if command -v groff >/dev/null; then
    groff -man -Tutf8 -ww -z "$page" >said 2>&1
    that "$program.1: no warning of groff" test ! -s said
  else
    skip "$program.1: no warning of groff" "no groff here"
  fi
  if command -v man >/dev/null; then
    MANWIDTH=70 LC_ALL=C.UTF-8 man --warnings -l "$page" >text 2>said
    that "$program.1: man shows it without a warning" test ! -s said -a -s text
    that "$program.1: its name and summary" grep -q "$program - " text
    that "$program.1: options as they are typed" grep -qE "^ +--threads N$" text
  else
    skip "$program.1: man shows it" "no man here"
  fi
  if command -v mandoc >/dev/null; then that "$program.1: no warning of mandoc" mandoc -Tlint -Wwarning "$page"; fi
done
that "two runs write the same bytes" eval '"$BIN/make_manuals" again && rm -f written && diff -r "$manuals" again --exclude written'
that "no date in a page" eval '! grep -nE "(19|20)[0-9][0-9]-[01][0-9]|[0-9]{4}" "$manuals"/man1/*.1 | grep -E "TH "'

# ---- bash ----
mkdir -p data/deep && : >data/one.h5 && : >'data/two words.h5' && : >model.onnx
for program in $programs; do that "bash reads the file of $program" bash -n "$manuals/bash/$program"; done

# completes PROGRAM WORDS...: what bash would offer for the last word, one a line. COMP_WORDS breaks at "=", as readline does.
completes() {
  bash -c '
    . "$0/bash/$1"
    COMP_WORDS=("$@")
    COMP_WORDS=("${COMP_WORDS[@]}")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    complete -p "$1" | grep -q "_${1//-/_}" || exit 1
    "_${1//-/_}"
    printf "%s\n" "${COMPREPLY[@]}"' "$manuals" "$@" | LC_ALL=C sort
}
# offers NAME WANTED PROGRAM WORDS...: WANTED: lines with blanks between them.
offers() {
  local name=$1 wanted=$2 got
  shift 2
  got=$(completes "$@" | paste -sd' ')
  if [ "$got" = "$wanted" ]; then pass "$name"; else fail "$name"; echo "#   offers: $got"; fi
}
offers "bash: options by their beginning" "--max-loop-runs --max-new-tokens --max-pixels" vlm-run --max
offers "bash: a short option" "-o" vlm-quantize -o
offers "bash: values of a choice" "dynamic" vlm-quantize --activations d
offers "bash: values behind =" "raw zstd" vlm-quantize --codec =
offers "bash: the beginning of a value behind =" "zstd" vlm-quantize --codec = z
offers "bash: a choice with a parameter" "minmax mse" vlm-quantize --range m
offers "bash: kernels" "avx2 avx512vnni avxvnni" vlm-run --cpu avx
offers "bash: files of an option" "data/one.h5" vlm-quantize model.onnx --calib data/o
offers "bash: a file name with a blank is one" "data/deep data/one.h5 data/two words.h5" vlm-quantize model.onnx --calib data/
offers "bash: folders only" "data/deep" vlm-inspect data/one.h5 --plot data/d
offers "bash: no file for a number" "" vlm-run --threads m
offers "bash: files for arguments" "model.onnx" vlm-quantize m
offers "bash: more values of a list" "data/one.h5" vlm-calibrate --merge data/one.h5 data/o
offers "bash: no option of another program" "" vlm-run --calib
for program in $programs; do
  completes $program - | grep . >offered
  $program --help | sed -nE 's/^  (-[-a-z0-9]*)(, (-[-a-z0-9]*))?.*/\1\n\3/p' | grep . | LC_ALL=C sort >helped
  that "bash: the options of $program are those of its help" cmp offered helped
done

# ---- zsh and fish ----
for shell in zsh fish; do
  if ! command -v $shell >/dev/null; then skip "$shell reads the files" "no $shell here"; continue; fi
  for file in "$manuals/$shell"/*; do that "$shell reads ${file##*/}" $shell -n "$file"; done
done
if command -v fish >/dev/null; then
  for program in $programs; do
    fish -c "source $manuals/fish/$program.fish; complete -C '$program --'" >offered 2>said
    that "fish: options of $program" eval 'grep -q -- "^--threads" offered && test ! -s said'
  done
fi

# ---- install ----
if command -v cmake >/dev/null && [ -e "$BIN/cmake_install.cmake" ]; then
  expect "cmake --install" 0 "" cmake --install "$BIN" --prefix "$PWD/prefix"
  for program in $programs; do
    for file in man/man1/$program.1 bash-completion/completions/$program zsh/site-functions/_$program fish/vendor_completions.d/$program.fish; do
      that "installed: share/$file" test -s "prefix/share/$file"
    done
  done
  if command -v man >/dev/null; then expect "man finds the page" 0 "vlm-quantize - turns" env MANPATH="$PWD/prefix/share/man" LC_ALL=C.UTF-8 MANPAGER=cat man vlm-quantize; fi
else
  skip "install" "no cmake here"
fi
