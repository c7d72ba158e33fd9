// The file that a Hugging Face checkpoint becomes, in memory. Private to lib/models.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "hf_family.hpp"
#include "loquor/formats/gguf_writer.hpp"
#include "loquor/formats/safetensors.hpp"

namespace lq {

class HfBuilder final : public HfKeys {
 public:
  explicit HfBuilder(std::string arch);

  void u32(std::string_view name, std::size_t value) override;
  void f32(std::string_view name, double value) override;
  void flag(std::string_view name, bool value) override;
  void text(std::string_view name, std::string_view value) override;
  void f32s(std::string_view name, std::span<const double> values) override;
  void i32s(std::string_view name, std::span<const std::int32_t> values) override;
  void vector(std::string_view name, std::span<const double> values) override;
  // Keys without the architecture in front.
  GgufWriter& writer() noexcept { return writer_; }
  // What u32() was told, 0 if nothing.
  std::size_t value_of(std::string_view name) const;

  // The tensor under its new name; `number` stands for the '#' of rule.to.
  void add(const SafetensorsTensor& t, const HfRule& rule, const std::string& name);
  // Experts' matrices on one another.
  void stack(std::span<const SafetensorsTensor* const> parts, const std::string& name);
  // Keeps what views point into.
  void hold(std::shared_ptr<Storage> storage) { storages_.push_back(std::move(storage)); }

  GgufFile finish(const std::string& name);

 private:
  std::byte* own(std::size_t bytes);
  void place(const std::string& name, DType type, const Shape& shape, const std::byte* data);
  void permuted(const SafetensorsTensor& t, const HfRule& rule, const std::string& name);
  std::vector<std::size_t> order(HfTransform transform, std::size_t rows, const std::string& name) const;

  std::string arch_;
  GgufWriter writer_;
  std::map<std::string, std::size_t, std::less<>> counts_;
  std::vector<const std::byte*> places_;
  std::vector<std::shared_ptr<Storage>> storages_;
};

}  // namespace lq
