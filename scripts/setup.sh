# Sourced by test.sh and demo.sh: packages and builds on Debian 12. Needs bash; changes nothing but missing packages and build folders.

VLMQ_PACKAGES_BUILD="gcc libc6-dev cmake ninja-build ccache pkg-config libonnx-dev protobuf-c-compiler libprotobuf-c-dev libhdf5-dev
  libpng-dev libjpeg62-turbo-dev libwebp-dev zlib1g-dev libzstd-dev libxxhash-dev libjansson-dev libpcre2-dev libutf8proc-dev"
VLMQ_PACKAGES_TEST="libcmocka-dev libonnx-testdata clang zstd python3-venv"

# Prints the packages of the list that are not installed.
vlmq_missing() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

# Installs what is missing; asks for nothing, touches nothing when everything is there.
vlmq_install() {
  local missing root=()
  command -v dpkg-query >/dev/null || { echo "no dpkg here; these packages are taken as installed: $*"; return 0; }
  missing=$(vlmq_missing "$@")
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "not root, and no sudo; please install:" $missing; return 1; }
    root=(sudo)
  fi
  echo "installing:" $missing
  "${root[@]}" apt-get update -qq || echo "apt-get update failed; trying with the lists that are there"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}

# vlmq_configure FOLDER [cmake options]: Ninja, unless CMAKE_GENERATOR says otherwise, and ccache when present.
vlmq_configure() {
  local folder=$1 with=()
  shift
  if [ -z "${CMAKE_GENERATOR:-}" ] && command -v ninja >/dev/null && { [ ! -e "$folder/CMakeCache.txt" ] || [ -e "$folder/build.ninja" ]; }; then with+=(-G Ninja); fi
  if command -v ccache >/dev/null; then with+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache); fi
  cmake -S . -B "$folder" "${with[@]}" "$@"
}

# vlmq_build FOLDER [cmake options]: configures and builds on all cores.
vlmq_build() {
  vlmq_configure "$@" && cmake --build "$1" --parallel "$(nproc)"
}
