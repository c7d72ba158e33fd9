#!/usr/bin/env bash
# Tests the adapters for llm, LangChain, lm-evaluation-harness, scikit-learn and Ray (docs/python-ecosystem.md) with those packages, in an
# environment of its own (build/ecosystem-venv, about 1.5 GB, fetched once). ./check runs what needs neither lm-eval nor Ray, which are heavy.
# The wheel is the one that ./check or scripts/check_python.sh has left in build/wheels, or is built now.
#     scripts/check_ecosystem.sh [PYTEST-ARGUMENT...]
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$LQ_ROOT"
venv="$LQ_BUILD/ecosystem-venv"
if ! ls "$LQ_BUILD"/wheels/*.whl >/dev/null 2>&1; then
  need_toolchain
  need_python scripts/requirements-check.txt
  mkdir -p "$LQ_BUILD/wheels"
  run wheel "$LQ_VENV/bin/python" -m pip wheel --disable-pip-version-check --no-deps --no-build-isolation -w "$LQ_BUILD/wheels" .
fi
LQ_VENV="$venv" need_python scripts/requirements-ecosystem.txt
run install-wheel-ecosystem "$venv/bin/python" -m pip install --disable-pip-version-check --no-deps --no-index --force-reinstall "$LQ_BUILD"/wheels/*.whl
LQ_VENV="$venv" fetch_model || say "The default model could not be fetched: the tests that need it will be skipped"
LQ_VENV="$venv" fetch_model minilm || say "The text encoder could not be fetched: the tests that need it will be skipped"

tests="$LQ_ROOT/bindings/python/tests"
say "The adapters with $("$venv/bin/python" -m pip list --disable-pip-version-check --format freeze | grep -iE '^(llm|langchain-core|lm_eval|lm-eval|scikit-learn|ray)==' | tr '\n' ' ')"
(cd "$LQ_BUILD" && "$venv/bin/python" -m pytest -q -rs "$tests"/test_{scoring,llm_plugin,langchain,lm_eval,sklearn,ray,imports}.py "$@")
