"""The rows of the table, in its order, and how each file and instruction set is measured."""

from . import results, rows_peers, rows_speed, rows_system
from .drive import Absent
from .results import WHAT

# The model's own file on the CPU's best instruction set.
MAIN = {
    "D1": rows_speed.decode_0, "D2": rows_speed.decode_deep, "D4": rows_speed.fraction_of_memory, "P1": rows_speed.prefill,
    "P2": rows_speed.prefill_best, "O1": rows_peers.openvino, "B1": rows_speed.batch, "T1": rows_system.first_token,
    "S1": rows_peers.sampling, "K1": rows_peers.tokenizers, "X1": rows_system.memory, "X2": rows_system.neighbour,
    "X3": rows_system.frame_loop, "Q1": rows_peers.kl,
}
# Other files, and other instruction sets.
REPEATED = {"D1": rows_speed.decode_0, "D2": rows_speed.decode_512, "P1": rows_speed.prefill, "B1": rows_speed.batch}
QUALITY = {"Q1": rows_peers.kl}  # of types of the model; random weights have no quality


def table(file, isa, typed):
    """{row: function} of what is measured for a file. typed: the file is the model in another type."""
    if file == "Q4_1" and not isa:
        return MAIN
    return REPEATED | (QUALITY if typed and not isa else {})


def run(b, file, wanted, typed):
    """Entries of the wanted rows, one row at a time. A row that fails says why and does not stop the others."""
    rows = table(file, b.isa, typed)
    for row in wanted:
        if row not in rows:
            continue
        fn = rows[row]
        try:
            yield fn(b) if file == "Q4_1" else fn(b, file)
        except (Absent, OSError, ImportError, RuntimeError, ValueError, KeyError) as e:
            yield [results.absent(row, "", WHAT[row], f"{type(e).__name__}: {e}", **b.base(file))]
