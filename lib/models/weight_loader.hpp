// Makes the weights of a plan: lays them out in one block of memory, reads the small tensors and has the matrices
// packed. Private to lib/models.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "packer.hpp"
#include "planner.hpp"

namespace lq {

// FNV-1a over 64-bit words: an identity, not a defence against a forger.
class Hash {
 public:
  void add(std::uint64_t word) noexcept { h_ = (h_ ^ word) * 0x100000001b3u; }
  void add(std::string_view s) noexcept {
    add(s.size());
    for (char c : s) add(static_cast<std::uint64_t>(static_cast<unsigned char>(c)));
  }
  void add(const std::byte* p, std::size_t n) noexcept {
    for (std::size_t i = 0; i + 8 <= n; i += 8) {
      std::uint64_t w;
      std::memcpy(&w, p + i, 8);
      add(w);
    }
    for (std::size_t i = n / 8 * 8; i < n; ++i) add(static_cast<std::uint64_t>(p[i]));
  }
  std::uint64_t value() const noexcept {
    std::uint64_t z = h_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t h_ = 0xcbf29ce484222325u;
};

// Widened to fp32.
void widen(const GgufTensor& t, float* dst);

// Declares what is to be loaded, in the order in which the plan counted it; then run() does it all. What the calls
// return may be used after run().
class WeightLoader {
 public:
  // Allocates. Throws Error{out_of_memory}, also for weights over options.memory_cap.
  WeightLoader(const Context& ctx, const GgufFile& file, const PlanTotals& totals, const LoadOptions& options);

  Hash& hash() noexcept { return hash_; }
  // Its directory entry and three samples of its data go into the fingerprint.
  void note(const GgufTensor& t);
  const float* vector(const GgufTensor& t);  // or a table: rows widened to fp32
  const float* optional_vector(const GgufTensor* t) { return t ? vector(*t) : nullptr; }
  NormWeights norm(const NormPlan& plan) { return {optional_vector(plan.weight), optional_vector(plan.bias)}; }
  PackedMatrix matrix(const GgufTensor& t);
  Linear linear(const LinearPlan& plan);
  // Something else that reads the file.
  void later(std::function<void()> step) { small_.push_back(std::move(step)); }

  // `beside`, if there is one, runs on one of the threads meanwhile; what it throws ends the load. Throws
  // Error{out_of_memory|cancelled|bad_file}.
  void run(const std::function<void()>& beside);
  std::uint64_t fingerprint() const noexcept { return hash_.value(); }
  // What the pointers and matrices point into.
  Storage take_floats_storage() noexcept { return std::move(float_storage_); }
  Storage take_packed_storage() noexcept { return std::move(packed_storage_); }

 private:
  const float* bias(const LinearPlan& plan);
  void read_bias(const LinearPlan& plan, float* dst);
  PackedMatrix matrix(std::span<const PackedMatrix::Source> sources, std::size_t cols, PackedMatrix::Order order);
  float* take_floats(std::size_t n) noexcept { return std::exchange(floats_, floats_ + align_floats(n)); }

  Compute compute_;
  Packer packer_;
  Storage float_storage_, packed_storage_;
  float* floats_ = nullptr;      // the next one that is free
  std::byte* packed_ = nullptr;  // likewise
  std::vector<PanelRun> runs_;
  // What reads the file: done by one thread, in this order, while the others pack.
  std::vector<std::function<void()>> small_;
  Hash hash_;
};

}  // namespace lq
