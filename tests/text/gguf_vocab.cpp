#include "gguf_vocab.hpp"

#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace lq_test {

namespace {

struct Cursor {
  const std::string& bytes;
  std::size_t at = 0;

  template <class T>
  T take() {
    if (bytes.size() - at < sizeof(T)) throw std::runtime_error("truncated GGUF");
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    at += sizeof value;
    return value;
  }
  std::string_view text() {
    const auto n = take<std::uint64_t>();
    if (n > bytes.size() - at) throw std::runtime_error("truncated GGUF");
    at += n;
    return std::string_view(bytes).substr(at - n, n);
  }
};

enum : std::uint32_t { kBool = 7, kString = 8, kArray = 9 };
constexpr std::size_t kScalarSize[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

void read_array(Cursor& in, std::string_view key, lq::TokenizerData& data) {
  const auto type = in.take<std::uint32_t>();
  const auto n = in.take<std::uint64_t>();
  if (key == "tokenizer.ggml.precompiled_charsmap") data.charsmap = std::string_view(in.bytes).substr(in.at, n);
  for (std::uint64_t i = 0; i < n; ++i) {
    if (type == kString) {
      const std::string_view s = in.text();
      if (key == "tokenizer.ggml.tokens") data.tokens.push_back(s);
      if (key == "tokenizer.ggml.merges") data.merges.push_back(s);
    } else if (key == "tokenizer.ggml.scores") {
      data.scores.push_back(in.take<float>());
    } else if (key == "tokenizer.ggml.token_type") {
      data.types.push_back(in.take<std::int32_t>());
    } else {
      in.at += kScalarSize[type];
    }
  }
}

void read_value(Cursor& in, std::string_view key, lq::TokenizerData& data) {
  const auto type = in.take<std::uint32_t>();
  if (type == kArray) return read_array(in, key, data);
  if (type == kString) {
    const std::string_view s = in.text();
    if (key == "tokenizer.ggml.model") data.model = s;
    if (key == "tokenizer.ggml.pre") data.pre = s;
    return;
  }
  const std::size_t before = in.at;
  if (type == kBool) {
    const bool on = in.take<std::uint8_t>() != 0;
    if (key == "tokenizer.ggml.add_bos_token") data.add_bos = on;
    if (key == "tokenizer.ggml.add_eos_token") data.add_eos = on;
    if (key == "tokenizer.ggml.remove_extra_whitespaces") data.remove_extra_whitespaces = on;
  } else if (kScalarSize[type] == 4) {
    const auto id = in.take<std::int32_t>();
    if (key == "tokenizer.ggml.bos_token_id") data.bos = id;
    if (key == "tokenizer.ggml.eos_token_id") data.eos = id;
    if (key == "tokenizer.ggml.cls_token_id") data.bos = id;
    if (key == "tokenizer.ggml.seperator_token_id") data.sep = id;
    if (key == "tokenizer.ggml.eot_token_id") data.eot = id;
    if (key == "tokenizer.ggml.unknown_token_id") data.unk = id;
    if (key == "tokenizer.ggml.padding_token_id") data.pad = id;
  }
  in.at = before + kScalarSize[type];
}

}  // namespace

lq::TokenizerData read_tokenizer(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  auto bytes = std::make_shared<std::string>();
  // The metadata come first; of a model file 32 MB hold them with much to spare.
  bytes->resize(std::size_t{32} << 20);
  file.read(bytes->data(), static_cast<std::streamsize>(bytes->size()));
  bytes->resize(static_cast<std::size_t>(file.gcount()));
  Cursor in{*bytes};
  lq::TokenizerData data;
  in.at = 16;  // magic, version, tensor count
  const auto pairs = in.take<std::uint64_t>();
  for (std::uint64_t i = 0; i < pairs; ++i) {
    const std::string_view key = in.text();
    read_value(in, key, data);
  }
  data.keep_alive = bytes;
  return data;
}

}  // namespace lq_test
