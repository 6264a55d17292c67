programs='vlm-calibrate vlm-quantize vlm-eval vlm-run vlm-inspect'
for program in $programs; do
  expect "$program --help" 0 "^Examples:" $program --help
  that "$program --help: an example of itself" grep -qE "^  $program .+" out
  expect "$program --help: exit codes" 0 "^Exit codes: 0 fine" $program --help
  expect "$program -h is the same" 0 "^Usage:" $program -h
  expect "$program --version" 0 "^$program [0-9]+\.[0-9]+\.[0-9]+$" $program --version
done
# The help names no option that the program then refuses.
for program in $programs; do
  refused=
  for option in $($program --help | sed -n 's/^  \(-[-a-z0-9]*\).*/\1/p'); do
    $program "$option" 2>&1 </dev/null | grep -qE "unknown option|not built yet|does not belong" && refused="$refused $option"
  done
  that "$program takes every option of its help" test -z "$refused"
done

# No line is wider than the terminal, and the words are the same in every width.
too_wide() { LC_ALL=C.UTF-8 awk -v w="$1" 'length($0) > w { print; n++ } END { exit n > 0 }' "$2"; }
words() { tr -d '\\' <"$1" | tr -s ' \n' '\n\n'; }
for program in $programs; do
  for width in 40 60 80 200; do
    COLUMNS=$width $program --help >help.$width
    that "$program --help in $width columns" too_wide $width help.$width
    words help.$width >words.$width
  done
  that "$program --help: the same words in every width" eval "cmp words.60 words.80 && cmp words.80 words.200 && cmp words.40 words.60"
  that "$program --help uses the width" [ "$(wc -l <help.200)" -lt "$(wc -l <help.60)" ]
done
if command -v script >/dev/null; then
  script -qec "stty cols 60; vlm-eval --help" /dev/null </dev/null | tr -d '\r' >terminal
  that "the terminal's width is asked for" too_wide 60 terminal
  that "and all of it is used" grep -qE '^.{55,60}$' terminal
else
  skip "the terminal's width is asked for" "no script(1) here"
fi
expect "a default is told" 0 "compression level \(1 to 19; default: 6\)$" env COLUMNS=120 vlm-quantize --help
expect "choices are told" 0 "\(zstd or raw; default: zstd\)$" env COLUMNS=120 vlm-quantize --help
that "an example that is cut can still be typed" eval 'COLUMNS=40 vlm-run --help | grep -A 3 "^  vlm-run florence2/ \*" | grep -q " \\\\$"'
