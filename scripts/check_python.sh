#!/usr/bin/env bash
# Builds the wheel, repairs it, installs it into a clean environment and runs the package's tests there: once with the best
# instruction set of this CPU and once restricted to AVX2 (a CPU without AVX-512), the main paths also on the scalar kernels.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$LQ_ROOT"
wheels="$LQ_BUILD/wheels"
clean="$LQ_BUILD/clean-venv"
rm -rf "$wheels" "$clean"
mkdir -p "$wheels/raw"

# With the compiler and the flags of ./check's own build and from a folder as deep as that, so that ccache has every file but the bindings.
CC=cc CXX=c++ run wheel "$LQ_VENV/bin/python" -m pip wheel --disable-pip-version-check --no-deps --no-build-isolation -w "$wheels/raw" \
  --config-settings=build-dir="$LQ_BUILD-wheel" --config-settings=cmake.define.LQ_DEVELOPER_MODE=ON .
PATH="$LQ_VENV/bin:$PATH" run auditwheel "$LQ_VENV/bin/auditwheel" repair -w "$wheels" "$wheels"/raw/*.whl
say "Wheel: $(basename "$wheels"/*.whl), $(du -h "$wheels"/*.whl | cut -f1)"

# numpy and pytest come from the environment of ./check, so that this works offline; loquor itself must not be there.
run clean-venv "$LQ_VENV/bin/python" -m venv "$clean"
"$LQ_VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])' \
  >"$("$clean/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/check-tools.pth"
run install-wheel "$clean/bin/python" -m pip install --disable-pip-version-check --no-deps --no-index "$wheels"/*.whl

say "pytest on the installed wheel"
(cd "$LQ_BUILD" && "$clean/bin/python" -m pytest -q "$LQ_ROOT/bindings/python/tests")
say "SKIPPED: the adapters for lm-evaluation-harness and Ray, which scripts/check_ecosystem.sh tests"
say "pytest restricted to AVX2"
(cd "$LQ_BUILD" && LQ_FORCE_ISA=avx2 "$clean/bin/python" -m pytest -q "$LQ_ROOT/bindings/python/tests" -k "not slow")
say "the main paths on the scalar reference"
(cd "$LQ_BUILD" && LQ_FORCE_ISA=scalar "$clean/bin/python" -m pytest -q "$LQ_ROOT/bindings/python/tests" \
  -k "instruction_set or round_trip or streams_the_same or completions_have or fork_rewind")
say "the README's Python"
(cd "$LQ_BUILD" && "$clean/bin/python" "$LQ_ROOT/tests/readme/run.py" "$LQ_ROOT" --python)
if "$clean/bin/python" -c 'import loquor._native as n; n.model_path("smollm2")' 2>/dev/null; then
  say "the notebook example"
  (cd "$LQ_BUILD" && run python-tour "$clean/bin/python" "$LQ_ROOT/examples/python/tour.py")
else
  say "SKIPPED: the notebook example needs the default model"
fi
