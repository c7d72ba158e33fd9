#!/bin/sh
# run.sh EXPECTED-PATTERN PROGRAM [ARGUMENTS after the model...]: runs an example with the default model and looks for the
# pattern (extended regular expression) in what it prints. Exit code 77 (skipped) where the model is absent.
pattern="$1"; program="$2"; shift 2
cache="${LOQUOR_CACHE:-${XDG_CACHE_HOME:+$XDG_CACHE_HOME/loquor}}"
model="${LQ_TEST_MODEL:-${cache:-$HOME/.cache/loquor}/models/SmolLM2-135M-Instruct.Q4_1.gguf}"
if ! [ -f "$model" ]; then
  echo "SKIPPED: needs the default model at $model"
  exit 77
fi
out="$("$program" "$model" "$@")" || { echo "$program failed"; printf '%s\n' "$out"; exit 1; }
printf '%s\n' "$out"
printf '%s\n' "$out" | grep -Eq "$pattern" || { echo "nothing in the output matches $pattern"; exit 1; }
