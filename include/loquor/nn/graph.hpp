// A network's computation for one shape of input, recorded once and run many times, forwards and backwards (reverse
// mode). Functions (nn/functions.hpp) append operators; compile() gives every value, gradient and workspace its place
// in one block of memory, by the span of time in which it is needed; running allocates nothing.
//
//   Graph g(ctx, Graph::Mode::train);
//   Value x = g.input({32, 64}), t = g.input({32});
//   Value loss = cross_entropy(g, linear(g, x, w, &b), t);
//   g.compile(loss);
//   copy(x->data, t->ids()); g.step();     // *loss->data, w.grad, b.grad
//
// Gradients of parameters are added to, those of values are computed anew. Results do not depend on the threads.
// Thread contract: one caller at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "loquor/core/config.hpp"
#include "loquor/nn/parameters.hpp"

namespace lq::nn {

class Op;

struct Node {
  Shape shape;
  std::size_t count = 0;
  float* data = nullptr;  // valid between compile() and the graph's end
  float* grad = nullptr;  // nullptr if nobody asks for it
  bool needs_grad = false;

  std::size_t cols() const noexcept { return shape.rank() ? shape[shape.rank() - 1] : 1; }
  std::size_t rows() const noexcept { return cols() ? count / cols() : 0; }
  std::int32_t* ids() const noexcept { return reinterpret_cast<std::int32_t*>(data); }  // of token ids and classes

  // The graph's own bookkeeping. Times: operator i runs forwards at i, backwards at 2n - 1 - i.
  enum class Kind { value, input, kept, forward_scratch, backward_scratch };
  Kind kind = Kind::value;
  Node* root = nullptr;  // the node whose memory this one shares, or itself
  Op* producer = nullptr;
  bool retained = false;
  std::size_t first = 0, last = 0, grad_first = 0, grad_last = 0;
};
using Value = Node*;

// What operators see of a run.
struct Run {
  const Context& ctx;
  bool training = false;
  std::uint64_t seed = 0, step = 0;  // of dropout's masks
  float loss_scale = 1.0f;           // gradient of the loss
};

class Graph;

// An operator: forward() writes the outputs' data; backward() reads the outputs' grad and writes, or where adds(k)
// adds to, the grad of each input k that has one, in the order of the inputs, and adds to that of parameters.
class Op {
 public:
  virtual ~Op() = default;
  virtual void forward(const Run& run) = 0;
  virtual void backward(const Run& run) = 0;
  Value result(std::size_t k = 0) const noexcept { return outputs_[k]; }

 protected:
  Op(Graph& graph, std::vector<Value> inputs) : graph_(&graph), inputs_(std::move(inputs)) {}
  // An output. Its gradient is needed if an input's is or if the operator has trainable parameters.
  Value output(Shape shape);
  void uses(const Parameter* p) noexcept { trainable_ |= p && p->grad; }  // before output()
  // Data of inputs and outputs that backward() reads.
  void keep(Value v) { kept_.push_back(v); }
  // Floats that live from forward() to backward(), or during one of them only.
  Value kept(std::size_t count) { return scratch(count, Node::Kind::kept); }
  Value forward_scratch(std::size_t count) { return scratch(count, Node::Kind::forward_scratch); }
  Value backward_scratch(std::size_t count) { return scratch(count, Node::Kind::backward_scratch); }
  bool adds(std::size_t input) const noexcept { return adds_[input]; }
  Value in(std::size_t k) const noexcept { return inputs_[k]; }
  Value out(std::size_t k = 0) const noexcept { return outputs_[k]; }
  std::size_t index() const noexcept { return index_; }

 private:
  friend class Graph;
  Value scratch(std::size_t count, Node::Kind kind);
  Graph* graph_;
  std::vector<Value> inputs_, outputs_, kept_, scratch_;
  std::vector<bool> adds_;
  std::size_t index_ = 0;
  bool trainable_ = false, active_ = false;  // active: has something to do backwards
};

class Graph {
 public:
  enum class Mode { train, infer };
  Graph(const Context& ctx, Mode mode, std::uint64_t seed = 0);

  bool training() const noexcept { return mode_ == Mode::train; }
  const Context& context() const noexcept { return *ctx_; }

  // Memory for the caller to fill before a run; it keeps its contents between runs. Zero at first.
  Value input(Shape shape, bool needs_grad = false);
  // The same numbers in another shape.
  Value reshape(Value v, Shape shape);
  // Keeps a value (and its gradient, if it has one) readable after a run.
  void retain(Value v) noexcept { v->root->retained = true; }
  // After each run the final state is copied to where the next one starts: recurrent state over windows of a text.
  void carry(Value from, Value to);
  void reset_state() noexcept;  // zeros in every carried state
  std::span<const std::pair<Value, Value>> carried() const noexcept { return carried_; }

  template <class T, class... Args>
  T& add(Args&&... args) {
    auto op = std::make_unique<T>(*this, std::forward<Args>(args)...);
    T& ref = *op;
    append(std::move(op));
    return ref;
  }

  // Ends recording. `loss` is a single value in training, and whatever is to be read afterwards in inference.
  // Throws Error{out_of_memory}.
  void compile(Value loss);
  bool compiled() const noexcept { return arena_.size() != 0; }
  std::size_t bytes() const noexcept { return arena_.size(); }
  std::size_t size() const noexcept { return ops_.size(); }

  // While one of the flags holds (nullptr: none), runs end between two operators with Error{cancelled}; gradients of
  // parameters are then incomplete.
  void set_cancel(const std::atomic<bool>* flag, const std::atomic<bool>* other = nullptr) noexcept {
    cancel_[0] = flag;
    cancel_[1] = other;
  }

  // Inference: forward only.
  void forward();
  // Training: forward and backward; the gradients are those of loss_scale * loss. `step` numbers dropout's masks.
  void step(std::uint64_t step = 0, float loss_scale = 1.0f);

 private:
  friend class Op;
  Value node(Shape shape, Node::Kind kind);
  void append(std::unique_ptr<Op> op);
  void plan_backward(Value loss);
  void plan_times(Value loss);
  void place();
  void copy_states() noexcept;
  void check_cancel() const;

  const Context* ctx_;
  Mode mode_;
  std::uint64_t seed_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<Op>> ops_;
  std::vector<std::pair<Value, Value>> carried_;
  Value loss_ = nullptr;
  const std::atomic<bool>* cancel_[2] = {};
  Storage arena_;
};

}  // namespace lq::nn
