#include "loquor/generate/model.hpp"

#include <chrono>
#include <mutex>
#include <utility>

#include "gguf_tokenizer.hpp"
#include "loquor/core/status.hpp"
#include "loquor/formats/catalog.hpp"
#include "loquor/models/hf_folder.hpp"

namespace lq {

struct Model::Impl {
  std::shared_ptr<const Context> context;
  GgufFile file;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const Decoder> decoder;
  std::shared_ptr<const Encoder> encoder;
  std::string chat_template;
  double load_ms = 0;

  struct Masks {
    std::weak_ptr<const Grammar> grammar;
    std::shared_ptr<const TokenMasks> masks;
  };
  std::mutex mutex;  // of what follows
  std::shared_ptr<const TokenTrie> trie;
  std::vector<Masks> masks;

  Impl(std::shared_ptr<const Context> c, GgufFile f) : context(std::move(c)), file(std::move(f)) {}
};

namespace {

using Clock = std::chrono::steady_clock;

std::string read_template(const GgufFile& file) {
  const GgufValue* v = file.find("tokenizer.chat_template");
  if (!v) return {};
  const auto s = v->as_string();
  LQ_CHECK(s, Code::bad_file, "'", file.name(), "': key 'tokenizer.chat_template' is of type ",
           gguf_type_name(v->type()), ", expected a string");
  return std::string(*s);
}

}  // namespace

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;

std::shared_ptr<const Model> Model::load(std::shared_ptr<const Context> ctx, const std::string& source,
                                         const ModelOptions& options) {
  const auto begin = Clock::now();
  const auto mode = options.private_copy ? GgufFile::Mode::read : GgufFile::Mode::map;
  return finish(std::move(ctx), open_model_source(resolve_model(source), mode), options, begin);
}

std::shared_ptr<const Model> Model::load(std::shared_ptr<const Context> ctx, std::span<const std::byte> gguf,
                                         const ModelOptions& options) {
  const auto begin = Clock::now();
  return finish(std::move(ctx), GgufFile::from_memory(gguf.data(), gguf.size()), options, begin);
}

std::shared_ptr<const Model> Model::finish(std::shared_ptr<const Context> ctx, GgufFile file,
                                           const ModelOptions& options, std::chrono::steady_clock::time_point begin) {
  LQ_CHECK(ctx, Code::invalid_argument, "model: the context is null");
  auto impl = std::make_unique<Impl>(std::move(ctx), std::move(file));
  impl->chat_template = read_template(impl->file);
  const auto make_tokenizer = [&] { impl->tokenizer = Tokenizer::create(read_tokenizer(impl->file)); };
  if (options.vocab_only || impl->file.tensors().empty()) {
    make_tokenizer();
  } else {
    const GgufValue* arch = impl->file.find("general.architecture");
    std::size_t rows = 0;
    if (arch && Encoder::knows(arch->as_string().value_or(""))) {
      impl->encoder = Encoder::load(impl->context, impl->file, options, make_tokenizer);
      rows = impl->encoder->spec().n_vocab;
    } else {
      impl->decoder = Decoder::load(impl->context, impl->file, options, make_tokenizer);
      rows = impl->decoder->spec().n_vocab;
    }
    LQ_CHECK(rows >= impl->tokenizer->vocab_size(), Code::bad_file, "'", impl->file.name(), "': the vocabulary has ",
             impl->tokenizer->vocab_size(), " tokens, the weights only ", rows);
  }
  // What is left in memory of the file (its header, and pages that came in beside those asked for) goes too.
  impl->file.drop_all_pages();
  impl->load_ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  return std::shared_ptr<const Model>(new Model(std::move(impl)));
}

const std::shared_ptr<const Context>& Model::context() const noexcept { return impl_->context; }
const GgufFile& Model::file() const noexcept { return impl_->file; }
const std::shared_ptr<const Tokenizer>& Model::tokenizer() const noexcept { return impl_->tokenizer; }
const std::shared_ptr<const Decoder>& Model::decoder() const noexcept { return impl_->decoder; }
const std::shared_ptr<const Encoder>& Model::encoder() const noexcept { return impl_->encoder; }
const std::string& Model::chat_template() const noexcept { return impl_->chat_template; }
std::shared_ptr<const TokenMasks> Model::token_masks(const std::shared_ptr<const Grammar>& grammar) const {
  LQ_CHECK(grammar, Code::invalid_argument, "model: the grammar is null");
  const std::lock_guard lock(impl_->mutex);
  std::erase_if(impl_->masks, [](const Impl::Masks& m) { return m.grammar.expired(); });
  for (const Impl::Masks& m : impl_->masks)
    if (m.grammar.lock() == grammar) return m.masks;
  if (!impl_->trie) impl_->trie = TokenTrie::build(*impl_->tokenizer);
  auto made = std::make_shared<const TokenMasks>(grammar->automaton(), impl_->trie);
  impl_->masks.push_back({grammar, made});
  return made;
}

double Model::load_ms() const noexcept { return impl_->load_ms; }

}  // namespace lq
