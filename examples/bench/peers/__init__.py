"""What examples/bench/compare and examples/bench/quality are made of: one engine or one row of the table a file."""
