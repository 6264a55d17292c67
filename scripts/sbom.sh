#!/usr/bin/env bash
# What a build is made of, as SPDX 2.3 (tag:value) on standard output: vlmq itself and each shared library that its programs link directly,
# with the version of the Debian package that holds it. Same bytes for the same build.
#   scripts/sbom.sh BUILD
set -uo pipefail
build=$(cd "${1:?the folder of the build}" && pwd) || exit 1
cd "$(dirname "$0")/.." || exit 1
version=$(sed -nE 's/^project\(vlmq VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
files=$(find "$build" -maxdepth 1 -type f \( -name 'vlm-*' -o -name 'libvlmq*.so.*' \) | LC_ALL=C sort)
[ -n "$files" ] || { echo "$build has no programs: build first" >&2; exit 1; }

# shellcheck disable=SC2086
needed=$(readelf -d $files | sed -nE 's/.*NEEDED.*\[(.*)\]/\1/p' | grep -vE '^(libvlmq|ld-linux)' | LC_ALL=C sort -u)
cat <<END
SPDXVersion: SPDX-2.3
DataLicense: CC0-1.0
SPDXID: SPDXRef-DOCUMENT
DocumentName: vlmq-$version
DocumentNamespace: https://spdx.org/spdxdocs/vlmq-$version-$(cat $files | sha256sum | cut -c1-32)
Creator: Tool: scripts/sbom.sh
Created: 2026-12-01T00:00:00Z

PackageName: vlmq
SPDXID: SPDXRef-vlmq
PackageVersion: $version
PackageDownloadLocation: NOASSERTION
FilesAnalyzed: false
PackageLicenseDeclared: Apache-2.0
PackageCopyrightText: Copyright 2026 the vlmq authors
Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-vlmq
END
# The Debian package that owns a library, as "name version"; nothing where there is no dpkg.
owner() {
  local path name
  path=$(ldconfig -p 2>/dev/null | awk -v n="$1" '$1 == n {print $NF; exit}')
  path=$(readlink -f "${path:-/nowhere}")
  name=$(dpkg-query -S "$path" "${path#/usr}" 2>/dev/null | head -n 1 | cut -d: -f1)
  [ -z "$name" ] || dpkg-query -W -f '${Package} ${Version}\n' "$name" 2>/dev/null | head -n 1
}
for library in $needed; do
  read -r name of <<<"$(owner "$library")"
  cat <<END

PackageName: ${name:-$library}
SPDXID: SPDXRef-$(tr -c 'A-Za-z0-9.\n' - <<<"$library")
PackageVersion: ${of:-NOASSERTION}
PackageFileName: $library
PackageDownloadLocation: NOASSERTION
FilesAnalyzed: false
PackageLicenseDeclared: NOASSERTION
PackageCopyrightText: NOASSERTION
Relationship: SPDXRef-vlmq DYNAMIC_LINK SPDXRef-$(tr -c 'A-Za-z0-9.\n' - <<<"$library")
END
done
