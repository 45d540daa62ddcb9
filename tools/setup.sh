# What ./demo and ./test share; sourced, from the top of the tree.
#
# Debian 12 is the supported system. Elsewhere, install the equivalents of
# tools/packages.txt and set TIDEGATE_SKIP_PACKAGES=1.

readonly EX_UNAVAILABLE=69

# missing_packages GROUP...: the packages of these groups not installed yet.
missing_packages() {
  local group package wanted=()
  while read -r group package; do
    if [[ " $* " == *" $group "* ]]; then wanted+=("$package"); fi
  done < <(grep -v '^#' tools/packages.txt)
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' \
    "${wanted[@]}" 2>/dev/null) || true
  for package in "${wanted[@]}"; do
    grep -qxF "installed $package" <<<"$installed" || echo "$package"
  done
}

# ensure_packages GROUP...: installs what is missing, as root or through
# `sudo -n`; otherwise prints the command and ends with status 69. With nothing
# missing it touches neither apt nor sudo.
ensure_packages() {
  [[ -n ${TIDEGATE_SKIP_PACKAGES:-} ]] && return 0
  if ! command -v dpkg-query >/dev/null; then
    echo "not a Debian system: install the equivalents of" \
      "tools/packages.txt and set TIDEGATE_SKIP_PACKAGES=1" >&2
    exit "$EX_UNAVAILABLE"
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0

  local install="apt-get update && apt-get install -y"
  install+=" --no-install-recommends ${missing[*]}"
  local as=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
      {
        echo "${#missing[@]} Debian packages are missing; as root, run:"
        echo "  sh -c '$install'"
      } >&2
      exit "$EX_UNAVAILABLE"
    fi
    as=(sudo -n)
  fi
  mkdir -p build
  run_quietly "installing ${#missing[@]} Debian packages" build/apt.log \
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive sh -c "$install" </dev/null
}

# run_quietly LABEL LOG COMMAND...: the command's output goes to LOG. On a
# terminal one line shows its last line of output; otherwise a line at the
# start and one at the end. On failure all of the output is printed and the
# script ends with the command's status.
run_quietly() {
  local label=$1 log=$2 started=$SECONDS status=0 pid
  shift 2
  mkdir -p "$(dirname "$log")"
  if [[ -t 1 ]]; then
    local columns
    columns=$(tput cols 2>/dev/null || echo 80)
    "$@" >"$log" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
      printf '\r\033[K%.*s' "$((columns - 1))" \
        "$label: $(tail -n 1 "$log" | tr -d '\r')"
      sleep 0.5
    done
    wait "$pid" || status=$?
    printf '\r\033[K'
  else
    echo "$label ..."
    "$@" >"$log" 2>&1 || status=$?
  fi
  if ((status != 0)); then
    cat "$log" >&2
    echo "$label: failed with status $status after" \
      "$((SECONDS - started)) s" >&2
    exit "$status"
  fi
  echo "$label: done in $((SECONDS - started)) s"
}

# configure_and_build PRESET TARGET [CMAKE_ARG...]
configure_and_build() {
  local preset=$1 target=$2
  shift 2
  run_quietly "configuring $preset" "build/$preset/configure.log" \
    cmake --preset "$preset" "$@"
  NINJA_STATUS="[%f/%t] " run_quietly "building $preset" \
    "build/$preset/build.log" \
    cmake --build "build/$preset" --target "$target" \
    --parallel "${TIDEGATE_JOBS:-$(nproc)}"
}
