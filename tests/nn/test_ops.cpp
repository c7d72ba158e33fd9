#include "loquor/nn/ops.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <vector>

#include "loquor/core/half.hpp"
#include "loquor/core/random.hpp"
#include "loquor/kernels/dispatch.hpp"
#include "loquor/kernels/table.hpp"
#include "loquor/quant/groups.hpp"
#include "test_data.hpp"

using namespace lq;

namespace {

Context make_context(unsigned threads) {
  ContextOptions o;
  o.threads.threads = threads;
  return Context(o);
}

std::vector<float> random_floats(std::size_t n, std::uint64_t seed, float scale = 1.0f) {
  Random rng(seed);
  std::vector<float> v(n);
  for (float& x : v) x = static_cast<float>(rng.uniform() * 2 - 1) * scale;
  return v;
}

// Where the f16 scales of a type's blocks are.
std::vector<std::size_t> scale_offsets(DType type) {
  switch (type) {
    case DType::MXFP4:
      return {};
    case DType::Q2_K:
      return {80, 82};
    case DType::Q3_K:
      return {108};
    case DType::Q6_K:
      return {208};
    case DType::Q5_1:
    case DType::Q4_K:
    case DType::Q5_K:
      return {0, 2};
    default:
      return {0};
  }
}

// Random GGUF rows of any type: random bytes for the quants, sane scales.
std::vector<std::byte> random_rows(DType type, std::size_t rows, std::size_t cols, std::uint64_t seed) {
  Random rng(seed);
  const TypeTraits& t = traits(type);
  std::vector<std::byte> bytes(rows * row_bytes(type, cols));
  const auto put_half = [&](std::size_t at, float x) {
    const f16 h = to_f16(x);
    std::memcpy(bytes.data() + at, &h, 2);
  };
  for (std::size_t at = 0; at < bytes.size(); at += t.block_bytes) {
    const float u = static_cast<float>(rng.uniform() * 2 - 1);
    if (type == DType::F32) std::memcpy(bytes.data() + at, &u, 4);
    if (type == DType::F16) put_half(at, u);
    if (type == DType::BF16) {
      const bf16 h = to_bf16(u);
      std::memcpy(bytes.data() + at, &h, 2);
    }
    if (t.block_elems == 1) continue;
    if (is_grouped_type(type)) {
      for (std::size_t i = 0; i < t.block_bytes; ++i) bytes[at + i] = static_cast<std::byte>(rng.next());
      if (type == DType::MXFP4) bytes[at] = static_cast<std::byte>(118 + rng.next() % 8);
      for (const std::size_t half : scale_offsets(type)) put_half(at + half, (0.5f + 0.5f * u) * 0.05f);
      continue;
    }
    for (std::size_t i = 2; i < t.block_bytes; ++i) bytes[at + i] = static_cast<std::byte>(rng.next());
    put_half(at, u * 0.05f);
    if (type == DType::Q4_1) put_half(at + 2, static_cast<float>(rng.uniform() - 0.5) * 0.3f);
  }
  return bytes;
}

// The formats as their specification defines them, one element at a time.
float element(DType type, const std::byte* row, std::size_t k) {
  const auto half = [&](std::size_t at) {
    f16 h;
    std::memcpy(&h, row + at, 2);
    return to_float(h);
  };
  const auto byte = [&](std::size_t at) { return static_cast<int>(row[at]); };
  const std::size_t b = k / 32, i = k % 32;
  switch (type) {
    case DType::F32: {
      float f;
      std::memcpy(&f, row + 4 * k, 4);
      return f;
    }
    case DType::F16:
      return half(2 * k);
    case DType::BF16: {
      bf16 h;
      std::memcpy(&h, row + 2 * k, 2);
      return to_float(h);
    }
    case DType::Q4_0:
      return half(18 * b) *
             static_cast<float>((i < 16 ? byte(18 * b + 2 + i) & 15 : byte(18 * b + 2 + i - 16) >> 4) - 8);
    case DType::Q4_1:
      return half(20 * b) * static_cast<float>(i < 16 ? byte(20 * b + 4 + i) & 15 : byte(20 * b + 4 + i - 16) >> 4) +
             half(20 * b + 2);
    case DType::Q8_0:
      return half(34 * b) * static_cast<float>(static_cast<std::int8_t>(row[34 * b + 2 + i]));
    default: {
      const TypeTraits& t = traits(type);
      CodeGroup groups[kMaxGroups];
      decode_groups(type, row + k / t.block_elems * t.block_bytes, groups);
      return groups[k % t.block_elems / 32].value(i);
    }
  }
}

struct Product {
  std::vector<float> y;
  std::vector<double> exact;  // fp64 over the dequantised weights
};

// What integer products see of quantised rows: a product with the identity, which Q8_0 holds exactly.
std::vector<float> rounded_inputs(const Context& ctx, const Activations& a) {
  const std::size_t n = a.cols();
  std::vector<std::byte> eye(n * row_bytes(DType::Q8_0, n));
  const f16 one = to_f16(1.0f);
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t b = 0; b < n / 32; ++b) {
      std::byte* block = eye.data() + (r * (n / 32) + b) * 34;
      std::memcpy(block, &one, 2);
      if (r / 32 == b) block[2 + r % 32] = std::byte{1};
    }
  const PackedMatrix::Source source{DType::Q8_0, eye.data(), n};
  const PackedMatrix m = PackedMatrix::pack(ctx, {&source, 1}, n);
  std::vector<float> out(a.rows() * n);
  matmul(ctx, m, a, {out.data(), a.rows(), n, n});
  return out;
}

Product multiply(const Context& ctx, DType type, std::size_t rows, std::size_t cols, std::size_t tokens,
                 Compute compute) {
  const auto w = random_rows(type, rows, cols, 7);
  const auto x = random_floats(tokens * cols, 11);
  const PackedMatrix::Source source{type, w.data(), rows, compute == Compute::reference && is_grouped_type(type)};
  const PackedMatrix m = PackedMatrix::pack(ctx, {&source, 1}, cols);
  Activations a(ctx, tokens, cols, compute);
  set_activations(ctx, {x.data(), tokens, cols, cols}, a);
  Product p{std::vector<float>(tokens * rows), std::vector<double>(tokens * rows)};
  matmul(ctx, m, a, {p.y.data(), tokens, rows, rows});
  for (std::size_t t = 0; t < tokens; ++t)
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t k = 0; k < cols; ++k)
        p.exact[t * rows + r] += static_cast<double>(x[t * cols + k]) *
                                 static_cast<double>(element(type, w.data() + r * row_bytes(type, cols), k));
  return p;
}

const DType kWeightTypes[] = {DType::F32, DType::F16, DType::BF16, DType::Q4_0, DType::Q4_1, DType::Q8_0};
const DType kGroupedTypes[] = {DType::Q5_0, DType::Q5_1, DType::Q2_K,   DType::Q3_K,   DType::Q4_K,
                               DType::Q5_K, DType::Q6_K, DType::IQ4_NL, DType::IQ4_XS, DType::MXFP4};

}  // namespace

TEST_CASE("the forced instruction set is the one in use", "[nn][per_isa]") {
  const char* forced = std::getenv("LQ_FORCE_ISA");
  if (!forced) return;
  try {
    CHECK(std::string(make_context(1).kernels().isa) == forced);
  } catch (const Error& e) {
    WARN(e.what());  // the test runner reports "this CPU does not support" as skipped
    throw;
  }
}

TEST_CASE("matmul agrees with fp64 over the dequantised weights at ragged sizes", "[nn][per_isa]") {
  const Context ctx = make_context(2);
  for (DType type : kWeightTypes)
    for (std::size_t rows : {1, 16, 33, 70})
      for (std::size_t cols : {32, 96, 576})
        for (std::size_t tokens : {1, 2, 3, 5, 6, 7, 13, 37, 135}) {  // the last takes unpacked panels everywhere
          if (tokens == 135 && rows != 33) continue;                  // one odd panel is enough
          INFO(name(type) << " " << rows << " x " << cols << ", " << tokens << " tokens");
          const Product p = multiply(ctx, type, rows, cols, tokens, Compute::reference);
          double worst = 0, norm = 0;
          for (std::size_t i = 0; i < p.y.size(); ++i) {
            worst = std::max(worst, std::abs(p.exact[i] - static_cast<double>(p.y[i])));
            norm = std::max(norm, std::abs(p.exact[i]));
          }
          // fp32 sums of up to 576 terms: well under 576 * 2^-24 relative to the largest partial sum.
          CHECK(worst <= 2e-5 * (norm + std::sqrt(static_cast<double>(cols))));
          const Product q = multiply(ctx, type, rows, cols, tokens, Compute::quantized);
          double error = 0, energy = 0;
          for (std::size_t i = 0; i < q.y.size(); ++i) {
            error += std::pow(q.exact[i] - static_cast<double>(q.y[i]), 2);
            energy += std::pow(q.exact[i], 2);
          }
          // Rounding to int8 in blocks of 32: relative error of each input about 1/127/sqrt(12).
          if (rows * tokens > 50) CHECK(std::sqrt(error / energy) < (is_block_type(type) ? 0.01 : 1e-5));
        }
}

TEST_CASE("one row multiplied alone and in a batch gives the same bits", "[nn][per_isa]") {
  const Context one = make_context(1), many = make_context(3);
  const std::size_t rows = 83, cols = 800;  // two segments
  for (const std::size_t tokens : {8, 29, 135})
    for (DType type : kWeightTypes)
      for (Compute compute : {Compute::quantized, Compute::reference}) {
        const auto w = random_rows(type, rows, cols, 3);
        const auto x = random_floats(tokens * cols, 5, 3.0f);
        const PackedMatrix::Source source{type, w.data(), rows};
        const PackedMatrix m = PackedMatrix::pack(one, {&source, 1}, cols);
        std::vector<float> batch(tokens * rows), single(rows);
        Activations a(many, tokens, cols, compute), b(one, 1, cols, compute);
        set_activations(many, {x.data(), tokens, cols, cols}, a);
        matmul(many, m, a, {batch.data(), tokens, rows, rows});
        for (std::size_t t = 0; t < tokens; ++t) {
          set_activations(one, {x.data() + t * cols, 1, cols, cols}, b);
          matmul(one, m, b, {single.data(), 1, rows, rows});
          REQUIRE(std::memcmp(single.data(), batch.data() + t * rows, rows * sizeof(float)) == 0);
        }
      }
}

TEST_CASE("products of types with group scales stay within 1e-3 of the exact ones, and do not depend on the batch",
          "[nn][per_isa]") {
  const Context ctx = make_context(2);
  const std::size_t rows = 45, cols = 1280, tokens = 135;  // two segments
  auto x = random_floats(tokens * cols, 5, 3.0f);
  for (std::size_t t = 0; t < tokens; t += 2)
    for (std::size_t i = 0; i < 40; ++i) x[t * cols + (i * 37 + t) % cols] = i % 2 ? 90.0f : -37.0f;  // outliers
  // Rounded as the products will see them, so that only the weights' part of the error is left.
  Activations a(ctx, tokens, cols, Compute::quantized);
  set_activations(ctx, {x.data(), tokens, cols, cols}, a);
  const auto rounded = rounded_inputs(ctx, a);
  for (DType type : kGroupedTypes) {
    INFO(name(type));
    const auto w = random_rows(type, rows, cols, 3);
    const PackedMatrix::Source source{type, w.data(), rows}, wide{type, w.data(), rows, true};
    const PackedMatrix m = PackedMatrix::pack(ctx, {&source, 1}, cols), f = PackedMatrix::pack(ctx, {&wide, 1}, cols);
    Activations exact(ctx, tokens, cols, Compute::reference), one(ctx, 1, cols, Compute::quantized);
    set_activations(ctx, {rounded.data(), tokens, cols, cols}, exact);
    std::vector<float> got(tokens * rows), want(tokens * rows), single(rows);
    matmul(ctx, m, a, {got.data(), tokens, rows, rows});
    matmul(ctx, f, exact, {want.data(), tokens, rows, rows});
    double error = 0, energy = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      error += std::pow(static_cast<double>(got[i]) - want[i], 2);
      energy += std::pow(static_cast<double>(want[i]), 2);
    }
    CHECK(std::sqrt(error / energy) < 1e-3);
    for (std::size_t t = 0; t < tokens; ++t) {
      set_activations(ctx, {x.data() + t * cols, 1, cols, cols}, one);
      matmul(ctx, m, one, {single.data(), 1, rows, rows});
      REQUIRE(std::memcmp(single.data(), got.data() + t * rows, rows * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("packing keeps every weight bit for bit", "[nn]") {
  const Context ctx = make_context(2);
  for (DType type : kWeightTypes) {
    const std::size_t rows = 45, cols = 64;
    const auto w = random_rows(type, rows, cols, 21);
    const PackedMatrix::Source source{type, w.data(), rows};
    const PackedMatrix m = PackedMatrix::pack(ctx, {&source, 1}, cols);
    std::vector<float> row(cols);
    for (std::size_t r = 0; r < rows; ++r) {
      m.row(ctx, r, row.data());
      for (std::size_t k = 0; k < cols; ++k) REQUIRE(row[k] == element(type, w.data() + r * row_bytes(type, cols), k));
    }
  }
}

TEST_CASE("interleaved and concatenated sources put rows where they belong", "[nn]") {
  const Context ctx = make_context(2);
  const std::size_t rows = 48, cols = 32;
  const auto a = random_rows(DType::Q8_0, rows, cols, 1), b = random_rows(DType::Q8_0, rows, cols, 2);
  const PackedMatrix::Source sources[] = {{DType::Q8_0, a.data(), rows}, {DType::Q8_0, b.data(), rows}};
  const PackedMatrix both = PackedMatrix::pack(ctx, sources, cols, PackedMatrix::Order::interleave);
  const PackedMatrix after = PackedMatrix::pack(ctx, sources, cols);
  std::vector<float> row(cols);
  for (std::size_t r = 0; r < rows; ++r)
    for (int which = 0; which < 2; ++which) {
      const std::byte* source = (which ? b : a).data() + r * row_bytes(DType::Q8_0, cols);
      both.row(ctx, r / 16 * 32 + static_cast<std::size_t>(which) * 16 + r % 16, row.data());
      for (std::size_t k = 0; k < cols; ++k) REQUIRE(row[k] == element(DType::Q8_0, source, k));
      after.row(ctx, static_cast<std::size_t>(which) * rows + r, row.data());
      for (std::size_t k = 0; k < cols; ++k) REQUIRE(row[k] == element(DType::Q8_0, source, k));
    }
}

TEST_CASE("quantised activations are the same on every instruction set", "[nn][per_isa]") {
  ContextOptions o;
  o.isa = "scalar";
  const Context scalar(o), best = make_context(1);
  const std::size_t rows = 4;  // few rows are laid out alike everywhere
  for (const std::size_t cols :
       {32, 160, 576, 1312}) {  // 1, 5, 18 and 41 blocks: part of a vector of 16, and two segments
    auto x = random_floats(rows * cols, 77, 5.0f);
    if (cols > 64) std::fill(x.begin() + 32, x.begin() + 64, 0.0f);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t at = 70 + 9 * r; at < cols; at += 290) x[r * cols + at] = r % 2 ? 90.0f : -37.0f;  // outliers
    Activations a(scalar, rows, cols, Compute::quantized), b(best, rows, cols, Compute::quantized);
    set_activations(scalar, {x.data(), rows, cols, cols}, a);
    set_activations(best, {x.data(), rows, cols, cols}, b);
    CHECK(std::memcmp(a.blocks_, b.blocks_, rows * (cols / kBlock) * kRowBlockBytes) == 0);
    const std::size_t n = segments(cols) + 1;
    CHECK(std::memcmp(a.first_, b.first_, rows * n * sizeof *a.first_) == 0);
    for (std::size_t r = 0; r < rows; ++r) {
      const std::uint32_t listed = a.first_[r * n + n - 1];
      CHECK((cols == 32 || listed > 0));
      CHECK(std::memcmp(a.outliers_ + r * cols / 4, b.outliers_ + r * cols / 4, listed * sizeof(Outlier)) == 0);
      CHECK(a.big_[r] == b.big_[r]);
    }
  }
}

TEST_CASE("rotary embedding turns each pair by its angle", "[nn][per_isa]") {
  const Context ctx = make_context(1);
  for (const std::size_t n_rot : {2, 20, 32, 64, 128})
    for (const bool halves : {false, true}) {
      const std::size_t heads = 3, hd = n_rot + 6, n = n_rot / 2;
      const auto x = random_floats(heads * hd, 5), angle = random_floats(n, 6, 3.0f);
      std::vector<float> cos(n), sin(n), y = x;
      for (std::size_t i = 0; i < n; ++i) cos[i] = std::cos(angle[i]), sin[i] = std::sin(angle[i]);
      ctx.kernels().rope(y.data(), heads, hd, n_rot, cos.data(), sin.data(), halves);
      for (std::size_t h = 0; h < heads; ++h) {
        const float *in = x.data() + h * hd, *out = y.data() + h * hd;
        for (std::size_t i = 0; i < n; ++i) {
          const std::size_t a = halves ? i : 2 * i, b = halves ? i + n : 2 * i + 1;
          REQUIRE(out[a] == Approx(in[a] * cos[i] - in[b] * sin[i]).margin(1e-6));
          REQUIRE(out[b] == Approx(in[a] * sin[i] + in[b] * cos[i]).margin(1e-6));
        }
        for (std::size_t i = n_rot; i < hd; ++i) REQUIRE(out[i] == in[i]);
      }
    }
}

TEST_CASE("norms and activations follow their formulas", "[nn][per_isa]") {
  const Context ctx = make_context(1);
  for (std::size_t n : {1, 7, 16, 33, 64, 577}) {
    const auto x = random_floats(n, 1, 4.0f), w = random_floats(n, 2), bias = random_floats(n, 3);
    std::vector<float> y(n);
    double ms = 0, mean = 0, var = 0;
    for (float v : x) ms += static_cast<double>(v) * v, mean += v;
    mean /= static_cast<double>(n);
    for (float v : x) var += (v - mean) * (v - mean);
    rms_norm(ctx, {x.data(), 1, n, n}, w.data(), 1e-5f, TensorView<float>{y.data(), 1, n, n});
    const double r = 1 / std::sqrt(ms / static_cast<double>(n) + 1e-5);
    for (std::size_t i = 0; i < n; ++i) CHECK(y[i] == Approx(x[i] * r * w[i]).epsilon(1e-5).margin(1e-6));
    layer_norm(ctx, {x.data(), 1, n, n}, w.data(), bias.data(), 1e-5f, {y.data(), 1, n, n});
    const double s = 1 / std::sqrt(var / static_cast<double>(n) + 1e-5);
    for (std::size_t i = 0; i < n; ++i)
      CHECK(y[i] == Approx((x[i] - mean) * s * w[i] + bias[i]).epsilon(1e-4).margin(1e-5));
    gelu(ctx, {x.data(), 1, n, n}, true, {y.data(), 1, n, n});
    for (std::size_t i = 0; i < n; ++i)
      CHECK(y[i] == Approx(0.5 * x[i] * (1 + std::tanh(0.7978845608 * (x[i] + 0.044715 * x[i] * x[i] * x[i]))))
                        .epsilon(1e-5)
                        .margin(1e-6));
    gelu(ctx, {x.data(), 1, n, n}, false, {y.data(), 1, n, n});
    for (std::size_t i = 0; i < n; ++i)
      CHECK(y[i] == Approx(0.5 * x[i] * (1 + std::erf(x[i] * 0.7071067811865476))).epsilon(1e-5).margin(1e-6));
    Activations a(ctx, 1, n, Compute::reference);
    swiglu(ctx, {x.data(), 1, n, n}, {w.data(), 1, n, n}, a);
    for (std::size_t i = 0; i < n; ++i)
      CHECK(a.f32_[i] == Approx(x[i] / (1 + std::exp(-x[i])) * w[i]).epsilon(1e-5).margin(1e-7));
  }
}

namespace {

struct AttentionSetup {
  KvLayout layout;
  std::size_t n_head, tokens;
  std::vector<float> q, k, v;
  std::vector<std::vector<std::byte>> pages;
  std::vector<std::byte*> raw;
  std::vector<std::byte> scratch;

  AttentionSetup(const Context& ctx, DType type, std::size_t kv, std::size_t group, std::size_t hd, std::size_t n)
      : layout{type, 2, kv, hd},
        n_head(kv * group),
        tokens(n),
        q(random_floats(n * kv * group * hd, 1, 2.0f)),
        k(random_floats(n * kv * hd, 2)),
        v(random_floats(n * kv * hd, 3)) {
    for (std::size_t i = 0; i < (n + 63) / 64; ++i)
      pages.emplace_back(layout.bytes_per_page(), std::byte{0xff});  // NaN patterns
    for (auto& p : pages) raw.push_back(p.data());
    scratch.resize(attention_scratch_bytes(ctx, layout, n_head, n, n));
  }
  void store(const Context& ctx, std::size_t first, std::size_t n) {
    const std::size_t w = layout.n_kv_head * layout.head_dim;
    kv_store(ctx, layout, 1, raw.data(), first, {k.data() + first * w, n, w, w}, {v.data() + first * w, n, w, w});
  }
  std::vector<float> run(const Context& ctx, std::size_t first, std::size_t n) {
    const std::size_t w = n_head * layout.head_dim;
    std::vector<float> out(n * w);
    const AttentionItem item{{q.data() + first * w, n, w, w}, {out.data(), n, w, w}, first, raw.data()};
    attention(ctx, layout, 1, {&item, 1}, n_head, rule, scratch);
    return out;
  }
  AttentionRule rule{.scale = 0.125f};

  double naive(std::size_t t, std::size_t head, std::size_t dim) const {
    const std::size_t hd = layout.head_dim, kv = head / (n_head / layout.n_kv_head), w = layout.n_kv_head * hd;
    std::vector<double> s(t + 1);
    double top = -1e30, sum = 0, out = 0;
    const std::size_t first = rule.window && t >= rule.window ? t + 1 - rule.window : 0;
    for (std::size_t j = first; j <= t; ++j) {
      double dot = 0;
      for (std::size_t i = 0; i < hd; ++i)
        dot += static_cast<double>(q[t * n_head * hd + head * hd + i]) * k[j * w + kv * hd + i];
      s[j] = dot * 0.125;
      if (rule.soft_cap > 0) s[j] = rule.soft_cap * std::tanh(s[j] / rule.soft_cap);
      top = std::max(top, s[j]);
    }
    for (std::size_t j = first; j <= t; ++j) {
      const double p = std::exp(s[j] - top);
      sum += p;
      out += p * v[j * w + kv * hd + dim];
    }
    return out / sum;
  }
};

}  // namespace

TEST_CASE("attention agrees with fp64 for every cache type, head size and grouping", "[nn][per_isa]") {
  const Context ctx = make_context(2);
  for (DType type : {DType::F32, DType::F16, DType::Q8_0})
    for (std::size_t hd : {8, 32, 64, 80, 96, 128, 256})
      for (std::size_t group : {1, 3, 7}) {
        if (type == DType::Q8_0 && hd % 32) continue;
        INFO(name(type) << " head " << hd << " group " << group);
        AttentionSetup a(ctx, type, 2, group, hd, 150);
        a.store(ctx, 0, 150);
        const auto out = a.run(ctx, 0, 150);
        const double tolerance = type == DType::F32 ? 2e-6 : type == DType::F16 ? 2e-3 : 3e-2;
        for (std::size_t t : {0, 1, 15, 16, 63, 64, 127, 128, 149})
          for (std::size_t h : {std::size_t{0}, a.n_head - 1})
            for (std::size_t d : {std::size_t{0}, hd - 1})
              CHECK(std::abs(out[(t * a.n_head + h) * hd + d] - a.naive(t, h, d)) < tolerance);
      }
}

TEST_CASE("attention keeps to its window and cap", "[nn][per_isa]") {
  const Context ctx = make_context(2);
  for (const std::size_t window : {1, 16, 100, 130, 1000})
    for (const float cap : {0.0f, 0.5f}) {
      INFO("window " << window << " cap " << cap);
      AttentionSetup a(ctx, DType::F32, 2, 3, 64, 300);
      a.rule.window = window;
      a.rule.soft_cap = cap;
      a.store(ctx, 0, 300);
      const auto out = a.run(ctx, 0, 300);
      for (std::size_t t : {0, 1, 15, 16, 99, 127, 128, 129, 200, 299})
        for (std::size_t h = 0; h < a.n_head; h += 5)
          CHECK(std::abs(out[(t * a.n_head + h) * 64 + 7] - a.naive(t, h, 7)) < 2e-6);
      for (std::size_t t : {0, 50, 127, 128, 299}) {
        const auto one = a.run(ctx, t, 1);  // by chunks, on several threads
        REQUIRE(std::memcmp(one.data(), out.data() + t * a.n_head * 64, one.size() * sizeof(float)) == 0);
      }
    }
}

TEST_CASE("attention gives the same bits token by token, in chunks and whole, on any number of threads",
          "[nn][per_isa]") {
  const Context one = make_context(1), four = make_context(4);
  for (DType type : {DType::F32, DType::F16, DType::Q8_0}) {
    const std::size_t n = 300;
    AttentionSetup whole(four, type, 3, 3, 64, n);
    whole.store(four, 0, n);
    const auto expected = whole.run(four, 0, n);
    const std::size_t w = whole.n_head * 64;
    for (std::size_t step : {1, 7, 64}) {
      AttentionSetup part(one, type, 3, 3, 64, n);
      for (std::size_t at = 0; at < n; at += step) {
        const std::size_t m = std::min(step, n - at);
        part.store(one, at, m);
        const auto got = part.run(at % 2 ? one : four, at, m);
        REQUIRE(std::memcmp(got.data(), expected.data() + at * w, m * w * sizeof(float)) == 0);
      }
    }
  }
}
