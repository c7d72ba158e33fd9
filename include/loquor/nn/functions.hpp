// The operators that a graph records (nn/graph.hpp), each with its gradient. Shapes: B sequences, T tokens, C width;
// most operators take any number of leading dimensions and work on rows of the last one. Names of parameters' shapes
// are torch's: a linear map's weight is (out, in). All throw Error{invalid_argument} where shapes do not fit.
#pragma once

#include <span>

#include "loquor/kernels/elementwise.hpp"
#include "loquor/nn/graph.hpp"

namespace lq::nn {

// x W^T + b: (..., K) -> (..., N); b may be nullptr.
Value linear(Graph& g, Value x, const Parameter& w, const Parameter* b = nullptr);
// Rows of the table: ids (...) -> (..., C). Ids are checked at run time: outside the table is Error{invalid_argument}.
Value embedding(Graph& g, Value ids, const Parameter& table);
// x (B, T, C) + rows 0 to T - 1 of the table (>= T, C).
Value add_positions(Graph& g, Value x, const Parameter& table);
// Equal shapes.
Value add(Graph& g, Value x, Value y);
Value multiply(Graph& g, Value x, Value y);
Value scale(Graph& g, Value x, float factor);
Value activation(Graph& g, Value x, Activation kind);
// (x - mean) / sqrt(var + eps) * w + b (Ba et al. 2016), and x / sqrt(mean(x^2) + eps) * w (Zhang & Sennrich 2019).
Value layer_norm(Graph& g, Value x, const Parameter& w, const Parameter* b, float eps = 1e-5f);
Value rms_norm(Graph& g, Value x, const Parameter& w, float eps = 1e-5f);
// Zeros with probability p and divides the others by 1 - p, in training; x itself in inference.
Value dropout(Graph& g, Value x, float p);
// (B, T, C) -> (B, C): the last token of each sequence.
Value last(Graph& g, Value x);

// Columns [column, column + heads * head_dim) of a value (B, T, ...), so that one product may give q, k and v.
struct Heads {
  Value value;
  std::size_t column = 0;
};
struct AttentionShape {
  std::size_t heads, kv_heads, head_dim;
  bool causal = false;      // query i of T sees keys up to i + S - T of S
  Value lengths = nullptr;  // ids (B): keys from there on are not seen; each is from 1 to S
  // ids (B, T), causal and S == T: what position each token has in its own text; texts that follow one another do not
  // see each other.
  Value positions = nullptr;
};
// softmax(q k^T / sqrt(D)) v for every head: q (B, T), k and v (B, S) -> (B, T, heads * D). The scores are computed
// again for the gradient, in blocks of rows (Dao et al. 2022).
Value attention(Graph& g, Heads q, Heads k, Heads v, const AttentionShape& shape);
// Rotary positions (Su et al. 2021) of the first `heads * head_dim` columns, positions 0 to T - 1; pairs (i, i + D/2).
Value rope(Graph& g, Value x, std::size_t heads, std::size_t head_dim, float base);

// Recurrent layers over (B, T, C), with torch's parameters and order of gates.
enum class Cell : int { rnn, lstm, gru };  // rnn: Elman's, tanh
constexpr std::size_t gates(Cell cell) noexcept { return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1; }
struct RecurrentWeights {
  const Parameter *w_ih, *w_hh;  // (gates * H, C), (gates * H, H)
  const Parameter *b_ih, *b_hh;  // (gates * H)
};
struct RecurrentOutput {
  Value y;  // (B, T, H), the state after each step
  Value h;  // (B, H), after the last
  Value c;  // the same of an LSTM's cell, else nullptr
};
// h0 and c0 (B, H) may be nullptr: zeros.
RecurrentOutput recurrent(Graph& g, Cell cell, Value x, const RecurrentWeights& w, Value h0 = nullptr,
                          Value c0 = nullptr);

// Losses: one value, the mean over the rows. Class ids below 0 are ignored (torch's -100); a batch of nothing else has
// loss 0.
Value cross_entropy(Graph& g, Value logits, Value ids);
// The same of x W^T + b, without ever holding the logits of more than a few rows; it must be the graph's loss.
Value linear_cross_entropy(Graph& g, Value x, const Parameter& w, const Parameter* b, Value ids);
Value mean_squared_error(Graph& g, Value x, Value target);

}  // namespace lq::nn
