#include "loquor/models/adapter.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "adapter_file.hpp"
#include "adapter_places.hpp"
#include "decoder_impl.hpp"
#include "loquor/core/checksum.hpp"
#include "loquor/nn/gemm.hpp"

namespace lq {
namespace {

// A layer's matrices that see one input.
struct Group {
  std::size_t rank = 0, in = 0, out = 0;
  std::vector<std::pair<LoraPlace, const LoraMatrix*>> parts;
  std::size_t floats() const noexcept {
    return align_floats(gemm_packed_size(rank, in)) + align_floats(gemm_packed_size(out, rank));
  }
};

// "blk.12.attn_q.weight" -> 12 and "attn_q".
std::pair<std::size_t, std::string> split(const std::string& target) {
  std::size_t layer = 0;
  const char* const end = target.data() + target.size();
  if (target.starts_with("blk.") && target.ends_with(".weight")) {
    const auto [at, error] = std::from_chars(target.data() + 4, end, layer);
    if (error == std::errc() && at < end - 8 && *at == '.') return {layer, std::string(at + 1, end - 7)};
  }
  fail(Code::unsupported, "adapter: matrix '", target.substr(0, 64), "' cannot be changed by an adapter here");
}

void add(std::vector<Group>& groups, const std::vector<LoraPlace>& all, const std::string& name,
         const std::string& target, const LoraMatrix& m) {
  const auto p = std::find_if(all.begin(), all.end(), [&](const LoraPlace& place) { return name == place.name; });
  LQ_CHECK(p != all.end(), Code::unsupported, "adapter: matrix '", target.substr(0, 64),
           "' cannot be changed by an adapter here");
  LQ_CHECK(m.in == p->in && m.out == p->out, Code::mismatch, "adapter: '", target, "' is for a matrix of ", m.out,
           " x ", m.in, ", the model's has ", p->out, " x ", p->in);
  Group& g = groups[static_cast<std::size_t>(p->input)];
  g.in = m.in;
  g.rank += m.rank;
  g.parts.push_back({*p, &m});
}

Adapter::LowRank pack(const Context& ctx, const Group& g, float* to) {
  std::vector<float> a(g.rank * g.in), b(g.out * g.rank);
  std::size_t first = 0;
  for (const auto& [place, m] : g.parts) {
    std::copy(m->a.begin(), m->a.end(), a.data() + first * g.in);
    for (std::size_t r = 0; r < m->out; ++r)
      std::copy_n(m->b.data() + r * m->rank, m->rank, b.data() + place.at(r) * g.rank + first);
    first += m->rank;
  }
  float* const packed_b = to + align_floats(gemm_packed_size(g.rank, g.in));
  gemm_pack(ctx, {1, g.rank, g.in, nullptr, 0, false, a.data(), g.in, true, nullptr, 0}, to);
  gemm_pack(ctx, {1, g.out, g.rank, nullptr, 0, false, b.data(), g.rank, true, nullptr, 0}, packed_b);
  return {g.rank, g.in, g.out, to, packed_b};
}

}  // namespace

std::shared_ptr<const Adapter> Adapter::load(std::shared_ptr<const Decoder> model, const std::string& path) {
  LQ_CHECK(model, Code::invalid_argument, "adapter: the model has no weights to adapt");
  const LoraFile file = read_lora(path, model->spec());
  return AdapterBuilder::make(std::move(model), file);
}

std::shared_ptr<const Adapter> AdapterBuilder::make(std::shared_ptr<const Decoder> model, const LoraFile& file) {
  const DecoderSpec& s = model->spec();
  const std::size_t q = s.n_head * s.head_dim, kv = s.n_kv_head * s.head_dim;
  const std::size_t outs[4] = {q + 2 * kv, s.d_model, (is_gated(s.ffn) ? 2 : 1) * s.d_ff, s.d_model};
  std::vector<std::vector<Group>> layers(s.n_layer, std::vector<Group>(4));
  std::uint64_t hash = 0;
  for (const auto& [target, m] : file) {
    const auto [layer, name] = split(target);
    LQ_CHECK(layer < s.n_layer, Code::mismatch, "adapter: '", target, "': the model has ", s.n_layer, " layers");
    add(layers[layer], lora_places(s, model->interleaved(layer)), name, target, m);
    for (const auto* v : {&m.a, &m.b})
      hash = hash * 0x9e3779b97f4a7c15u + checksum(v->data(), v->size() * sizeof(float));
  }
  std::size_t total = 0;
  for (auto& groups : layers)
    for (std::size_t i = 0; i < 4; ++i) {
      groups[i].out = outs[i];
      total += groups[i].rank ? groups[i].floats() : 0;
    }
  std::shared_ptr<Adapter> out(new Adapter);
  out->storage_ = model->context().allocate(total * sizeof(float), true);
  auto* at = reinterpret_cast<float*>(out->storage_.data());
  out->layers_.resize(s.n_layer);
  for (std::size_t l = 0; l < s.n_layer; ++l) {
    Adapter::LowRank* const to[4] = {&out->layers_[l].qkv, &out->layers_[l].o, &out->layers_[l].gate_up,
                                     &out->layers_[l].down};
    for (std::size_t i = 0; i < 4; ++i) {
      const Group& g = layers[l][i];
      if (!g.rank) continue;
      *to[i] = pack(model->context(), g, at);
      at += g.floats();
      out->max_rank_ = std::max(out->max_rank_, g.rank);
    }
  }
  out->targets_ = file.size();
  out->fingerprint_ = hash;
  out->model_ = std::move(model);
  return out;
}

}  // namespace lq
