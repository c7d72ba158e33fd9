#include "loquor/nn/graph.hpp"

#include <algorithm>
#include <cstring>

namespace lq::nn {

Value Op::output(Shape shape) {
  Value v = graph_->node(shape, Node::Kind::value);
  v->producer = this;
  v->needs_grad = graph_->training() && (trainable_ || std::any_of(inputs_.begin(), inputs_.end(),
                                                                   [](Value x) { return x && x->needs_grad; }));
  outputs_.push_back(v);
  return v;
}

Value Op::scratch(std::size_t count, Node::Kind kind) {
  if (!graph_->training() && kind == Node::Kind::kept) kind = Node::Kind::forward_scratch;
  Value v = graph_->node({count}, kind);
  scratch_.push_back(v);
  return v;
}

Graph::Graph(const Context& ctx, Mode mode, std::uint64_t seed) : ctx_(&ctx), mode_(mode), seed_(seed) {}

Value Graph::node(Shape shape, Node::Kind kind) {
  LQ_CHECK(!compiled(), Code::internal, "graph: recorded after it was compiled");
  auto n = std::make_unique<Node>();
  n->shape = shape;
  n->count = shape.count();
  n->kind = kind;
  n->root = n.get();
  return nodes_.emplace_back(std::move(n)).get();
}

Value Graph::input(Shape shape, bool needs_grad) {
  Value v = node(shape, Node::Kind::input);
  v->needs_grad = needs_grad && training();
  return v;
}

Value Graph::reshape(Value v, Shape shape) {
  LQ_CHECK(shape.count() == v->count, Code::invalid_argument, "graph: a shape of ", shape.count(), " values for ",
           v->count);
  Value n = node(shape, v->kind);
  n->root = v->root;
  n->needs_grad = v->needs_grad;
  n->producer = v->producer;
  return n;
}

void Graph::carry(Value from, Value to) {
  LQ_CHECK(from->count == to->count && to->kind == Node::Kind::input, Code::internal, "graph: states of ", from->count,
           " and ", to->count, " values");
  retain(from);
  carried_.emplace_back(from, to);
}

void Graph::append(std::unique_ptr<Op> op) {
  op->index_ = ops_.size();
  op->adds_.assign(op->inputs_.size(), false);
  ops_.push_back(std::move(op));
}

// Which operators run backwards, and which gradients have a writer before them.
void Graph::plan_backward(Value loss) {
  std::vector<const Node*> written;
  const auto is_written = [&](const Node* n) { return std::find(written.begin(), written.end(), n) != written.end(); };
  if (loss->needs_grad) written.push_back(loss->root);
  for (std::size_t i = ops_.size(); i-- > 0;) {
    Op& op = *ops_[i];
    op.active_ = std::any_of(op.outputs_.begin(), op.outputs_.end(), [&](Value v) { return is_written(v->root); });
    if (!op.active_) continue;
    for (std::size_t k = 0; k < op.inputs_.size(); ++k) {
      const Value v = op.inputs_[k];
      if (!v || !v->needs_grad) continue;
      op.adds_[k] = is_written(v->root);
      if (!op.adds_[k]) written.push_back(v->root);
    }
  }
  for (const auto& n : nodes_) n->needs_grad = n->needs_grad && is_written(n->root);
}

void Graph::plan_times(Value loss) {
  const std::size_t n = ops_.size(), end = 2 * n;
  const auto backward = [&](const Op& op) { return end - 1 - op.index_; };
  for (const auto& node : nodes_) {
    node->first = node->grad_first = end;
    node->last = node->grad_last = 0;
  }
  const auto touch = [](Value v, std::size_t t) {
    v->root->first = std::min(v->root->first, t);
    v->root->last = std::max(v->root->last, t);
  };
  const auto touch_grad = [](Value v, std::size_t t) {
    if (!v->needs_grad) return;
    v->root->grad_first = std::min(v->root->grad_first, t);
    v->root->grad_last = std::max(v->root->grad_last, t);
  };
  for (const auto& op : ops_) {
    const std::size_t b = backward(*op);
    const bool active = training() && op->active_;
    for (const auto* list : {&op->inputs_, &op->outputs_})
      for (Value v : *list)
        if (v) {
          touch(v, op->index_);
          if (active) touch_grad(v, b);
        }
    for (Value v : op->kept_)
      if (active) touch(v, b);
    for (Value v : op->scratch_) {
      if (v->kind != Node::Kind::backward_scratch) touch(v, op->index_);
      if (active && v->kind != Node::Kind::forward_scratch) touch(v, b);
    }
  }
  if (loss->needs_grad) touch_grad(loss, n);
  retain(loss);
  for (const auto& node : nodes_)
    if (node->kind == Node::Kind::input || node->retained) {
      touch(node.get(), node->kind == Node::Kind::input ? 0 : node->root->first);
      touch(node.get(), end);
      touch_grad(node.get(), end);
    }
}

namespace {

struct Span {
  std::size_t first, last, bytes, offset;
  float** where;
};

// First fit, largest first, among the spans that overlap in time.
std::size_t place_spans(std::vector<Span>& spans) {
  std::stable_sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.bytes > b.bytes; });
  std::size_t total = 0;
  std::vector<const Span*> rivals;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    Span& s = spans[i];
    rivals.clear();
    for (std::size_t j = 0; j < i; ++j)
      if (spans[j].first <= s.last && s.first <= spans[j].last) rivals.push_back(&spans[j]);
    std::sort(rivals.begin(), rivals.end(), [](const Span* a, const Span* b) { return a->offset < b->offset; });
    s.offset = 0;
    for (const Span* r : rivals) {
      if (s.offset + s.bytes <= r->offset) break;
      s.offset = std::max(s.offset, r->offset + r->bytes);
    }
    total = std::max(total, s.offset + s.bytes);
  }
  return total;
}

}  // namespace

void Graph::place() {
  std::vector<Span> spans;
  for (const auto& n : nodes_) {
    if (n->root != n.get()) continue;
    const std::size_t bytes = align_up(std::max<std::size_t>(n->count, 1) * sizeof(float));
    if (n->first <= n->last) spans.push_back({n->first, n->last, bytes, 0, &n->data});
    if (n->grad_first <= n->grad_last) spans.push_back({n->grad_first, n->grad_last, bytes, 0, &n->grad});
  }
  const std::size_t total = place_spans(spans);
  arena_ = ctx_->allocate(std::max(total, kAlignment), total >= (std::size_t{4} << 20));
  for (const Span& s : spans) *s.where = reinterpret_cast<float*>(arena_.data() + s.offset);
  for (const auto& n : nodes_) {
    n->data = n->root->data;
    n->grad = n->needs_grad ? n->root->grad : nullptr;
    if (n->kind == Node::Kind::input && n->data) std::memset(n->data, 0, n->count * sizeof(float));
  }
}

void Graph::compile(Value loss) {
  LQ_CHECK(!compiled(), Code::internal, "graph: compiled twice");
  LQ_CHECK(!training() || loss->count == 1, Code::invalid_argument, "graph: a loss of ", loss->count, " values");
  loss_ = loss;
  if (training()) plan_backward(loss);
  plan_times(loss);
  place();
}

void Graph::copy_states() noexcept {
  for (const auto& [from, to] : carried_) std::memcpy(to->data, from->data, from->count * sizeof(float));
}

void Graph::reset_state() noexcept {
  for (const auto& [from, to] : carried_) std::memset(to->data, 0, to->count * sizeof(float));
}

void Graph::check_cancel() const {
  for (const std::atomic<bool>* flag : cancel_)
    LQ_CHECK(!flag || !flag->load(std::memory_order_relaxed), Code::cancelled, "training: cancelled");
}

void Graph::forward() {
  LQ_CHECK(!training(), Code::internal, "graph: a training graph runs in steps");
  const Run run{*ctx_, false, seed_, 0, 1.0f};
  for (const auto& op : ops_) {
    check_cancel();
    op->forward(run);
  }
  copy_states();
}

void Graph::step(std::uint64_t step, float loss_scale) {
  LQ_CHECK(training(), Code::internal, "graph: a graph for inference has no gradients");
  const Run run{*ctx_, true, seed_, step, loss_scale};
  for (const auto& op : ops_) {
    check_cancel();
    op->forward(run);
  }
  if (loss_->grad) *loss_->grad = loss_scale;
  for (std::size_t i = ops_.size(); i-- > 0;) {
    if (!ops_[i]->active_) continue;
    check_cancel();
    ops_[i]->backward(run);
  }
  copy_states();
}

}  // namespace lq::nn
