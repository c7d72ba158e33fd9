# Sourced by ./demo and ./check: installs what is missing, builds, and says clearly what it cannot do.
# Everything is idempotent and works offline once the packages, the Python environment and the model are there.
set -euo pipefail

LQ_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
LQ_BUILD="${LQ_BUILD:-$LQ_ROOT/build}"
LQ_VENV="${LQ_VENV:-$LQ_ROOT/.venv}"
LQ_JOBS="${LQ_JOBS:-$(nproc)}"
LQ_LOGS="$LQ_BUILD/logs"

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# run NAME COMMAND...: quiet on success, the end of the log on failure.
run() {
  local name="$1" log; shift
  mkdir -p "$LQ_LOGS"; log="$LQ_LOGS/$name.log"
  if ! "$@" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    die "$name failed; the whole log is in ${log#"$LQ_ROOT"/}"
  fi
}

# need_packages PACKAGE...: Debian packages, as root or through sudo.
need_packages() {
  local missing=() p as_root=()
  for p in "$@"; do
    [ "$(dpkg-query -W -f='${Status}' "$p" 2>/dev/null)" = "install ok installed" ] || missing+=("$p")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  command -v apt-get >/dev/null || die "these packages are missing and there is no apt-get here to install them: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "not root and no sudo. Ask your administrator for: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "Installing ${missing[*]}"
  mkdir -p "$LQ_LOGS"
  # A stale or unreachable package list is not yet fatal: the install below decides.
  "${as_root[@]}" apt-get update >"$LQ_LOGS/apt-update.log" 2>&1 || say "apt-get update failed; trying with the lists at hand"
  run apt-install "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

# need_python [REQUIREMENTS-FILE...]: a virtual environment of our own; a stamp per file makes the second run need no network.
need_python() {
  local file stamp
  if ! [ -x "$LQ_VENV/bin/python" ]; then
    say "Making a Python environment in ${LQ_VENV#"$LQ_ROOT"/}"
    run venv python3 -m venv "$LQ_VENV"
  fi
  for file in "$@"; do
    stamp="$LQ_VENV/.installed-$(basename "$file" .txt)-$(sha256sum "$file" | cut -c1-16)"
    [ -e "$stamp" ] && continue
    say "Installing the Python packages of ${file#"$LQ_ROOT"/}"
    run "pip-$(basename "$file" .txt)" "$LQ_VENV/bin/python" -m pip install --disable-pip-version-check -r "$file"
    touch "$stamp"
  done
}

# configure BUILD-DIR CMAKE-ARGUMENTS...
configure() {
  local dir="$1"; shift
  run "configure-$(basename "$dir")" cmake -S "$LQ_ROOT" -B "$dir" -G Ninja "$@"
}

# build BUILD-DIR TARGET...
build() {
  local dir="$1"; shift
  run "build-$(basename "$dir")" cmake --build "$dir" -j "$LQ_JOBS" --target "$@"
}

need_toolchain() {
  need_packages g++ cmake ninja-build ccache pkg-config python3 python3-venv python3-dev ca-certificates nlohmann-json3-dev libcli11-dev libsqlite3-dev libgumbo-dev libhnswlib-dev "$@"
}

fetch_model() {
  "$LQ_VENV/bin/python" "$LQ_ROOT/scripts/fetch_model.py" "$@"
}
