"""What importing the package costs: none of the packages it has adapters for, nor what it needs only later."""

import importlib.util
import subprocess
import sys

import pytest


def test_the_package_imports_none_of_its_adapters():
    heavy = ("click", "json", "langchain_core", "llm", "lm_eval", "numpy", "pydantic", "ray", "sklearn")
    script = f"import sys; before = set(sys.modules); import loquor; new = set(sys.modules) - before; print(*sorted(new & set({heavy!r})), *sorted(m for m in new if m.startswith('loquor.')))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert out == ["loquor._native", "loquor.completions", "loquor.embedding", "loquor.errors", "loquor.grammar", "loquor.model", "loquor.sampling", "loquor.session"]


@pytest.mark.parametrize("adapter, package", [("langchain", "langchain_core"), ("llm", "llm"), ("lm_eval", "lm_eval"), ("sklearn", "sklearn")])
def test_an_adapter_without_its_package_names_it(adapter, package):
    found = importlib.util.find_spec(package)
    if found is not None and found.origin is not None:  # not just a folder of that name
        pytest.skip(f"{package} is installed")
    out = subprocess.run([sys.executable, "-c", f"import loquor.{adapter}"], capture_output=True, text=True)
    assert out.returncode == 1 and package in out.stderr


def test_the_stages_of_ray_need_no_ray():
    subprocess.run([sys.executable, "-c", "import sys; sys.modules['ray'] = None; import loquor.ray"], check=True)
