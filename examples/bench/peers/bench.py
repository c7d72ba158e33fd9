"""What all rows share: arguments, model files, workers that live as long as one file is measured."""

import pathlib
import subprocess
import sys

from . import drive, env
from .drive import Absent, Worker

RANDOM = ("qwen2.5-0.5b", "llama-3.2-1b")  # shapes whose files examples/bench/random_gguf.py makes
TYPES = ("Q4_0", "Q8_0", "F16")  # made from the default model by `loquor quantize`


class Bench:
    def __init__(self, args, isa=""):
        """isa "avx2": Loquor with LQ_FORCE_ISA=avx2 against a llama.cpp that was built without AVX-512."""
        self.args, self.isa, self.workers = args, isa, {}
        self.folder = pathlib.Path(args.work) if args.work else env.cache_dir() / "bench"
        self.variables = {"LQ_FORCE_ISA": isa} if isa else {}
        self.pythons = {"loquor": args.loquor_python, "openvino": args.openvino_python,
                        "llama.cpp": args.peer_python_avx2 if isa == "avx2" else args.peer_python}

    def file(self, name):
        """Path of the model's file of that type or shape; made when it is not there."""
        if name == "Q4_1":
            return self.args.model
        path = self.folder / f"{name}-{env.fingerprint(self.args.model)}.gguf"
        if path.exists():
            return str(path)
        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        if name in TYPES:
            code = "import sys, loquor; loquor.quantize(*sys.argv[1:4])"
            cmd = [self.args.loquor_python, "-c", code, self.args.model, str(part), name]
        else:
            cmd = [sys.executable, str(env.BENCH / "random_gguf.py")]
            cmd += [name, str(part), "--type", "Q4_0", "--head", "Q8_0"]
            vocab = {"qwen2.5-0.5b": "qwen2", "tiny-152k": "qwen2", "llama-3.2-1b": "llama-bpe"}[name]
            cmd += ["--vocab", str(pathlib.Path(self.args.data) / f"tokenizers/ggml-vocab-{vocab}.gguf")]
        run = subprocess.run(cmd, capture_output=True, text=True)
        if run.returncode != 0:
            raise Absent(f"{name} could not be made: {(run.stderr.strip().splitlines() or ['?'])[-1]}")
        part.rename(path)
        return str(path)

    def worker(self, engine, file="Q4_1", **options):
        key = (engine, file, tuple(sorted(options.items())))
        if key not in self.workers:
            self.workers[key] = Worker(engine, self.pythons[engine], self.file(file), self.args.threads, self.args.pin,
                                       self.variables if engine == "loquor" else None, **options)
        return self.workers[key]

    def once(self, job, engine, file="Q4_1", **options):
        return drive.once(job, engine, self.pythons[engine], self.file(file), self.args.threads, self.args.pin,
                          self.variables if engine == "loquor" else None, **options)

    def tool(self, name, *args, cpus=None):
        return drive.tool(self.args.build, name, *args, cpus=self.args.pin if cpus is None else cpus, variables=self.variables)

    def roofline(self, *what, rounds=3):
        import json

        isa = ["--isa", self.isa] if self.isa else []
        cpus = ",".join(map(str, self.args.pin))
        return json.loads(self.tool("roofline", "--cpus", cpus, "--rounds", rounds, "--only", ",".join(what), *isa))

    def close(self):
        for w in self.workers.values():
            w.close()
        self.workers = {}

    def base(self, file="Q4_1", **more):
        """What every entry of this bench says of itself."""
        return {"file": file, "isa": self.isa or self.best_isa(), **more}

    def best_isa(self):
        flags = env.cpu_flags()
        return "avx512vnni" if "avx512_vnni" in flags else "avx512" if "avx512f" in flags else "avx2"


def weights(path):
    """(bytes read a token, multiply-adds a token in the layers): of the file's matrices; a head that is tied to the embedding
    is read whole, an embedding that is not is read one row."""
    import gguf

    tensors = gguf.GGUFReader(path).tensors
    names = {t.name for t in tensors}
    bytes_, layers = 0, 0
    for t in tensors:
        if t.name != "token_embd.weight" or "output.weight" not in names:
            bytes_ += int(t.n_bytes)
        if t.name.startswith("blk.") and len(t.shape) > 1:
            layers += int(t.n_elements)
    return bytes_, layers
