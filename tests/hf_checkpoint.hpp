// Writes the small Hugging Face checkpoints of tests/goldens/hf_families.json: config.json as it was, weights by the
// recipe that make_hf_goldens.py has too, and a tokenizer. Test-only.
#pragma once

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "loquor/formats/safetensors.hpp"
#include "temp_folder.hpp"

namespace lq_test {

inline nlohmann::json hf_goldens() {
  return nlohmann::json::parse(std::ifstream(std::string(LQ_SOURCE_DIR) + "/tests/goldens/hf_families.json"));
}

inline std::uint64_t fnv(const std::string& text) {
  std::uint64_t h = 0xcbf29ce484222325u;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return h;
}

// offset + scale * u, u in [-1, 1) from SplitMix64.
inline std::vector<float> recipe(const std::string& name, std::size_t n, float offset, float scale) {
  std::vector<float> out(n);
  std::uint64_t state = fnv(name);
  for (float& x : out) {
    std::uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    const auto k = static_cast<std::int64_t>(z >> 40) - (1 << 23);
    x = offset + scale * (static_cast<float>(k) / static_cast<float>(1 << 23));
  }
  return out;
}

// 100 tokens: a byte-level BPE vocabulary of one character each, or a WordPiece one.
inline nlohmann::json hf_tokenizer(bool wordpiece) {
  nlohmann::json vocab, added = nlohmann::json::array();
  int n = 0;
  for (const char* s : {"[PAD]", "[UNK]", "[CLS]", "[SEP]"}) {
    added.push_back({{"id", n}, {"content", s}, {"special", true}});
    vocab[s] = n++;
  }
  for (char c = '!'; c <= '~'; ++c)
    if (c < 'A' || c > 'Z' || !wordpiece) vocab[std::string(1, c)] = n++;
  if (wordpiece)
    for (char c = 'a'; c <= 'z'; ++c) vocab[std::string("##") + c] = n++;
  nlohmann::json model = {{"type", wordpiece ? "WordPiece" : "BPE"}, {"vocab", vocab}};
  if (wordpiece)
    model["unk_token"] = "[UNK]";
  else
    model["merges"] = nlohmann::json::array();
  nlohmann::json around;
  if (wordpiece)
    around = nlohmann::json::parse(R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]"}},
        {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "[SEP]"}}]})");
  return {
      {"post_processor", around},
      {"added_tokens", added},
      {"normalizer", wordpiece ? nlohmann::json{{"type", "BertNormalizer"}, {"lowercase", true}} : nlohmann::json()},
      {"pre_tokenizer", {{"type", wordpiece ? "BertPreTokenizer" : "ByteLevel"}, {"add_prefix_space", false}}},
      {"model", model}};
}

// In `folder`, which exists. `shards`: over how many safetensors files the weights are spread.
inline void write_hf_checkpoint(const std::string& folder, const nlohmann::json& golden, bool encoder, int shards = 1) {
  write_bytes(folder + "/config.json", golden.at("config").dump());
  write_bytes(folder + "/tokenizer.json", hf_tokenizer(encoder).dump());
  write_bytes(
      folder + "/tokenizer_config.json",
      R"({"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": {"content": "[SEP]"}, "pad_token": "[PAD]"})");
  nlohmann::json map;
  for (int s = 0; s < shards; ++s) {
    const std::string file = shards == 1 ? "model.safetensors" : "model-" + std::to_string(s) + ".safetensors";
    lq::SafetensorsWriter writer;
    std::vector<std::vector<float>> data;
    for (std::size_t i = static_cast<std::size_t>(s); i < golden.at("tensors").size();
         i += static_cast<std::size_t>(shards)) {
      const auto& t = golden.at("tensors")[i];
      lq::Shape shape;
      for (const std::size_t d : t[1]) shape.push_back(d);
      const std::string name = t[0];
      map[name] = file;
      writer.add_tensor(name, lq::DType::F32, shape);
      data.push_back(recipe(name, shape.count(), t[2], t[3]));
    }
    writer.begin(folder + "/" + file);
    for (const auto& d : data) writer.write(d.data(), d.size() * sizeof(float));
    writer.commit();
  }
  if (shards > 1) write_bytes(folder + "/model.safetensors.index.json", nlohmann::json{{"weight_map", map}}.dump());
}

}  // namespace lq_test
