# Sourced by run.sh and the cases: expectations, fixtures. Every expectation prints one line, "ok - NAME" or "not ok - NAME".
# Given by run.sh: BIN (programs), ROOT (repository), SHARED (fixtures), and a fresh current folder.
BUNDLE=$ROOT/datasets/captioner/bundle
SCREENS=$ROOT/datasets/screens
IMAGES=$ROOT/tests/calib/data/images
ARRAYS=$ROOT/tests/calib/data/npy
MODELS=$ROOT/tests/onnx/data
IMAGE=$SCREENS/test/test_0000.png
STATS=$SHARED/stats.h5
PACK=$SHARED/model.vlmq
export PATH=$BIN:$PATH

pass() { echo "ok - $1"; }

# fail NAME [FILE...]: with the end of the files as explanation.
fail() {
  echo "not ok - $1"
  shift
  [ $# = 0 ] || tail -n 8 "$@" | cut -c1-400 | sed 's/^/#   /'
}

# expect NAME EXIT PATTERN COMMAND...: exit code, and an extended regular expression on what it prints ('' for any); the output stays in out and err.
# A failure must also end in one line "PROGRAM: message" and leave no temporary file.
expect() {
  local name=$1 code=$2 pattern=$3 got=0 why=''
  shift 3
  timeout -k 5 100 "$@" >out 2>err </dev/null || got=$?
  [ "$got" = "$code" ] || why="exit $got, wanted $code"
  [ -z "$pattern" ] || cat err out | grep -qE -- "$pattern" || why="$why; no line matches: $pattern"
  if [ "$code" != 0 ] && ! tail -n 1 err | grep -qE '^vlm-[a-z]+: .'; then why="$why; no message"; fi
  if ls ./*.tmp-* >/dev/null 2>&1; then why="$why; temporary file left: $(ls ./*.tmp-*)"; fi
  if [ -z "$why" ]; then pass "$name"; return 0; fi
  fail "$name" err out
  echo "#   $* -> ${why#; }"
  return 1
}

# same NAME A B: equal bytes.
same() { if cmp -s "$2" "$3"; then pass "$1"; else fail "$1"; cmp "$2" "$3" 2>&1 | sed 's/^/#   /'; fi; }
# that NAME COMMAND...: any command that should succeed.
that() { local name=$1; shift; if "$@" >that.txt 2>&1 </dev/null; then pass "$name"; else fail "$name" that.txt; fi; }
absent() { if [ -e "$2" ]; then fail "$1"; echo "#   $2 is there"; else pass "$1"; fi; }
skip() { echo "ok - $1 # SKIP $2"; }

# flip FILE OFFSET: turns one bit over.
flip() {
  local byte
  byte=$(od -An -tu1 -j"$2" -N1 "$1" | tr -d ' ')
  printf "\\x$(printf %02x $((byte ^ 16)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# images COUNT: the first images of the calibration split.
images() { ls "$SCREENS"/calibration/*.png | head -n "$1"; }
