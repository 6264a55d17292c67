#!/usr/bin/env bash
# Folders are layers: who may include whom, and which file may use which library. TAP on standard output.
#   tests/layers.sh           checks this repository, then that the check finds planted violations
#   tests/layers.sh FOLDER    prints the violations of the tree in FOLDER; exit 1 when there are any
set -uo pipefail

# folder: the folders it may include; its own always.
layers='
include/vlmq:
runtime/base:     include/vlmq
runtime/kernels:  runtime/base
runtime/graph:    runtime/base
runtime/ops:      runtime/base runtime/kernels runtime/graph
runtime/lower:    runtime/base runtime/kernels runtime/graph runtime/ops
runtime/exec:     runtime/base runtime/kernels runtime/graph runtime/ops runtime/lower
runtime/text:     runtime/base
runtime/image:    runtime/base
runtime/bundle:   runtime/base runtime/graph runtime/text runtime/image
runtime/decode:   runtime/base runtime/kernels runtime/graph runtime/ops runtime/lower runtime/exec runtime/text runtime/image runtime/bundle
hub:              runtime
onnx:             runtime hub
calib:            runtime
pack:             runtime
quant:            runtime calib
eval:             runtime calib
export:           runtime onnx calib quant
face:             include/vlmq runtime pack
face/packed:      include/vlmq runtime pack face
face/any:         include/vlmq runtime pack face onnx
flow:             include/vlmq runtime hub onnx calib pack quant export eval
cli:              flow runtime hub onnx calib pack quant export eval
bench:            flow onnx calib pack runtime tests/kernels
'

# header: the only file or folder that may include it, so that a library is replaced in one place.
libraries='
png.h:        calib/image_png.c
webp/decode.h: calib/image_webp.c
webp/demux.h:  calib/image_webp.c
jpeglib.h:    calib/image_jpeg.c
jerror.h:     calib/image_jpeg.c
zlib.h:       calib/npz.c
hdf5.h:       calib/store.h calib/store.c calib/store_read.c calib/store_write.c calib/store_kept.c
zstd.h:       pack/codec_zstd.c
xxhash.h:     runtime/base/hash.c
jansson.h:    runtime/base/json.c
pcre2.h:      runtime/text/tok_regex.c
utf8proc.h:   runtime/text/tok_unicode.c
onnx.pb-c.h:  onnx/ export/
mpi.h:        calib/
immintrin.h:  runtime/kernels/ bench/
arm_neon.h:   runtime/kernels/ bench/
cpuid.h:      runtime/base/cpu.c
sys/syscall.h: runtime/base/cpu.c
pthread.h:    runtime/base/threads.c
sched.h:      runtime/base/threads.c
signal.h:     cli/ runtime/base/file.c
sys/ioctl.h:  cli/terminal.c
'

# C and POSIX, open to all.
system='assert ctype dirent errno fcntl float fnmatch inttypes limits locale math setjmp stdalign stdarg stdatomic stdbool stddef
stdint stdio stdlib string strings time unistd wchar sys/auxv sys/mman sys/prctl sys/resource sys/stat sys/time sys/types sys/wait'

rooms='include runtime hub onnx calib pack quant export eval face flow cli bench'

# Prints "FILE:LINE: what is wrong" for every include of the tree $1 that the tables do not allow.
violations() {
  (cd "$1" && find $rooms -name '*.[ch]' -o -name '*.def' | LC_ALL=C sort |
    xargs grep -nHE '^[[:space:]]*#[[:space:]]*include' |
    awk -v layers="$layers" -v libraries="$libraries" -v headers="$system" '
      function table(text, out,   rows, n, i, at, list) {
        n = split(text, rows, "\n")
        for (i = 1; i <= n; i++)
          if ((at = index(rows[i], ":")) > 0) {
            list = substr(rows[i], at + 1)
            gsub(/^ +/, "", list)
            out[substr(rows[i], 1, at - 1)] = list
          }
      }
      function bad(why) { print file ":" line ": " why }
      # Is path inside one of the folders (or equal to one of the files) of list?
      function inside(path, list,   items, n, i, item) {
        n = split(list, items, " ")
        for (i = 1; i <= n; i++) {
          item = items[i]
          sub(/\/$/, "", item)
          if (path == item || index(path, item "/") == 1) return 1
        }
        return 0
      }
      function folder(path) { sub(/\/[^\/]*$/, "", path); return path }
      BEGIN {
        table(layers, may)
        table(libraries, only)
        n = split(headers, names, /[ \n]+/)
        for (i = 1; i <= n; i++) open[names[i] ".h"] = 1
      }
      {
        split($0, part, ":")
        file = part[1]; line = part[2]; from = folder(file); text = $0
        quoted = match(text, /"[^"]+"/)
        if (!quoted && !match(text, /<[^>]+>/)) { bad("an include that cannot be read"); next }
        name = substr(text, RSTART + 1, RLENGTH - 2)
        public = !quoted && name ~ /^vlmq\// # as users write it
        if (public) name = "include/" name
        if (!(from in may)) { bad("folder " from " is not in the table of layers"); next }
        if (quoted || public) {
          to = folder(name)
          if (index(name, "/") == 0) bad("\"" name "\": include paths start at the repository root")
          else if (to != from && !inside(to, may[from])) bad(from " may not include " name)
          else if (to != from && name ~ /_private\.h$/) bad(name " is private to " to)
        } else if (name in only) {
          if (!inside(file, only[name])) bad("<" name "> belongs to " only[name])
        } else if (!(name in open)) bad("<" name "> is not in the table of libraries")
      }')
}

# plant NUMBER NAME FILE LINE PATTERN: appends LINE to FILE of a copy; that, and nothing else new, must be found.
plant() {
  local copy found
  copy=$(mktemp -d)
  cp -r $rooms "$copy"
  echo "$4" >>"$copy/$3"
  found=$(violations "$copy" | grep -vxF "$known")
  rm -rf "$copy"
  if [ "$(grep -c . <<<"$found")" = 1 ] && grep -qE "^$3:[0-9]+: $5" <<<"$found"; then echo "ok $1 - $2"; return 0; fi
  echo "not ok $1 - $2"
  echo "# found: $found"
  return 1
}

if [ $# = 1 ]; then
  found=$(violations "$1")
  [ -z "$found" ] || { echo "$found"; exit 1; }
  exit 0
fi

cd "$(dirname "$0")/.." || exit 1
rc=0
echo 1..11
known=$(violations .)
if [ -z "$known" ]; then
  echo "ok 1 - includes follow the layers"
  known='nothing is known to be wrong'
else
  echo "not ok 1 - includes follow the layers"
  sed 's/^/# /' <<<"$known"
  rc=1
fi
plant 2 "the runtime may not include a tool" runtime/exec/session.c '#include "onnx/import.h"' 'runtime/exec may not include onnx/import.h' || rc=1
plant 3 "base may not include kernels" runtime/base/file.c '#include "runtime/kernels/kernels.h"' 'runtime/base may not include' || rc=1
plant 4 "pack may not include calib" pack/open.c '  #  include "calib/stats.h"' 'pack may not include calib/stats.h' || rc=1
plant 5 "quant may not include eval" quant/plan.h '#include "eval/scores.h"' 'quant may not include eval/scores.h' || rc=1
plant 6 "a library in a second file" calib/npy.c '#include <png.h>' '<png.h> belongs to' || rc=1
plant 7 "a library that nobody named" cli/open.c '#include <curl/curl.h>' '<curl/curl.h> is not in the table' || rc=1
plant 8 "a private header from outside" cli/open.c '#include "runtime/decode/model_private.h"' '.* is private to' || rc=1
plant 9 "flow may not include a program" flow/open.c '#include "cli/options.h"' 'flow may not include cli/options.h' || rc=1
plant 10 "eval may not include flow" eval/stats.c '#include "flow/watch.h"' 'eval may not include flow/watch.h' || rc=1
plant 11 "a public header stands alone" include/vlmq/vlmq.h '#include "runtime/base/status.h"' 'include/vlmq may not include runtime' || rc=1
exit $rc
