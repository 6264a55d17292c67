#!/usr/bin/env bash
# The Debian packages: written twice with the same bytes, looked at by lintian, unpacked and used. TAP on standard output.
#   tests/package.sh BUILD
# VLMQ_CHROOT=1 also installs them into a fresh Debian that debootstrap makes (root, and a mirror in reach).
set -uo pipefail
build=$(cd "${1:?the folder of the build}" && pwd) || exit 1
cd "$(dirname "$0")/.." || exit 1
root=$PWD at=0 rc=0
for tool in cpack dpkg-deb; do
  command -v $tool >/dev/null || { printf '1..1\nok 1 - packages # SKIP %s is not here\n' $tool; exit 0; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# check NAME COMMAND...
check() {
  local title=$1
  shift
  at=$((at + 1))
  if "$@" >"$work/log" 2>&1; then echo "ok $at - $title"; return; fi
  echo "not ok $at - $title"
  tail -n 12 "$work/log" | cut -c1-300 | sed 's/^/# /'
  rc=1
}
packages() { ls "$work/packages"/*.deb; }
pack() { SOURCE_DATE_EPOCH=1796083200 cpack --config "$build/CPackConfig.cmake" -B "$work/$1"; }
three() { [ "$(packages | wc -l)" = 3 ] && ls "$work/packages"/{vlmq,libvlmq1,libvlmq-dev}_*.deb; }
same() { for deb in $(packages); do cmp "$deb" "$work/again/$(basename "$deb")" || return 1; done; }
# Only errors; what belongs to an archive's upload (bugs to close) is not asked for.
look() {
  ! lintian --fail-on none --no-tag-display-limit $(packages) 2>&1 | grep '^E:'
}
unpack() { mkdir -p "$work/system" && for deb in $(packages); do dpkg-deb -x "$deb" "$work/system" || return 1; done; }
program() { LD_LIBRARY_PATH=$(echo "$work"/system/usr/lib*:"$work"/system/usr/lib/*-linux-gnu | tr ' ' :) "$work/system/usr/bin/$@"; }
answers() { program vlm-run "$root/datasets/captioner/bundle" "$root/datasets/screens/test/test_0000.png" --prompt "What does the image describe?" | grep -qE '^a '; }
documented() {
  local p
  for p in vlm-calibrate vlm-quantize vlm-eval vlm-run vlm-inspect; do
    ls "$work/system/usr/share/man/man1/$p.1"* "$work/system/usr/share/bash-completion/completions/$p" || return 1
  done
  ls "$work"/system/usr/include/vlmq/vlmq.h "$work"/system/usr/share/doc/{vlmq,libvlmq1,libvlmq-dev}/{copyright,changelog.gz}
}
compiled() {
  local pc
  pc=$(find "$work/system" -name vlmq-runtime.pc)
  cc $(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --cflags --libs vlmq-runtime) -x c - -o "$work/abi" -x none \
    -L"$(dirname "$(dirname "$pc")")" -lvlmq-runtime <<<'#include <vlmq/vlmq.h>
int main(void) { return vlm_abi_version() != VLMQ_ABI_VERSION; }' || return 1
  LD_LIBRARY_PATH=$(dirname "$(dirname "$pc")") "$work/abi"
}
sbom() {
  local name
  scripts/sbom.sh "$build" >"$work/sbom.spdx" && cmp "$work/sbom.spdx" <(scripts/sbom.sh "$build") || return 1
  for name in libhdf5 libpng libzstd libjansson libpcre2 libc6; do grep -q "^PackageName: $name" "$work/sbom.spdx" || { echo "no $name"; return 1; }; done
  [ "$(grep -c '^PackageVersion: NOASSERTION' "$work/sbom.spdx")" = 0 ]
}
chroot_use() {
  debootstrap --variant=minbase bookworm "$work/debian" && cp $(packages) "$work/debian/root" &&
    chroot "$work/debian" sh -c 'apt-get install -y /root/*.deb && vlm-run --version && vlm-inspect --help'
}

check "packages are written" pack packages
check "programs, libraries, and what developers need" three
check "again, with the same bytes" pack again
check "which they are" same
if command -v lintian >/dev/null; then check "lintian finds no errors" look; fi
check "they unpack" unpack
check "manual pages, completion, headers, copyright" documented
check "an answer of the installed program" answers
check "a program against the installed library" compiled
check "what is in them, as SPDX" sbom
if [ -n "${VLMQ_CHROOT:-}" ]; then check "a fresh Debian takes them" chroot_use; fi
echo "1..$at"
exit $rc
