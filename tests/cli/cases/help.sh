for program in vlm-calibrate vlm-quantize vlm-eval vlm-run vlm-inspect; do
  expect "$program --help" 0 "^Examples:" $program --help
  that "$program --help: an example of itself" grep -qE "^  $program .+" out
  expect "$program --help: exit codes" 0 "^Exit codes: 0 fine" $program --help
  expect "$program --version" 0 "^$program [0-9]+\.[0-9]+\.[0-9]+$" $program --version
done
# The help names no option that the program then refuses.
for program in vlm-calibrate vlm-quantize vlm-eval vlm-run vlm-inspect; do
  refused=
  for option in $($program --help | sed -n 's/^  \(-[-a-z0-9]*\).*/\1/p'); do
    $program "$option" 2>&1 </dev/null | grep -qE "unknown option|not built yet|does not belong" && refused="$refused $option"
  done
  that "$program takes every option of its help" test -z "$refused"
done
