#!/usr/bin/env bash
# Lays Debian's arm64 libraries into a folder, for cross builds; the packages of this machine stay as they are.
#   scripts/sysroot.sh FOLDER
set -euo pipefail
folder=${1:?the folder to fill}
triplet=aarch64-linux-gnu
packages="libjansson-dev libpcre2-dev libutf8proc-dev libzstd-dev libxxhash-dev libpng-dev libjpeg62-turbo-dev zlib1g-dev
  libhdf5-dev libprotobuf-c-dev libcmocka-dev"
[ ! -e "$folder/complete" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$folder"
folder=$(cd "$folder" && pwd)
: >"$work/status"
# A state of its own, in which nothing is installed and the machine is an arm64 one.
cat >"$work/apt.conf" <<END
Dir::State "$work";
Dir::State::lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "";
END
export APT_CONFIG=$work/apt.conf
apt-get update -qq
apt-get install -y -qq --download-only --no-install-recommends $packages >"$work/log" 2>&1 || { tail -n 20 "$work/log"; exit 1; }
for package in "$work"/cache/archives/*.deb; do
  case ${package##*/} in libc6*|linux-libc-dev*|libgcc-s1*) continue ;; esac # the compiler brings its own
  dpkg-deb -x "$package" "$folder"
done

# Links that lead to / lead out of the folder.
find "$folder" -type l -lname '/*' | while IFS= read -r link; do
  ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "$folder$(readlink "$link")")" "$link"
done
touch "$folder/complete"
