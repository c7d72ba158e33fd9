#include "calls.hpp"
#include "tiny_adapter.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "hf_checkpoint.hpp"
#include "tiny_model.hpp"

namespace lq_test {

using lq::capi::Kind;

Handles::Handles() : file(TinyModel().gguf()) {
  path = "/tmp/lq_capi_" + std::to_string(getpid()) + ".gguf";
  std::ofstream(path, std::ios::binary) << file;
  lq_context_options options = LQ_CONTEXT_OPTIONS_INIT;
  options.threads = 1;
  REQUIRE(lq_cancel_create(&cancel) == LQ_OK);
  REQUIRE(lq_context_create(&context, &options) == LQ_OK);
  REQUIRE(lq_model_load_memory(&model, context, file.data(), file.size(), nullptr) == LQ_OK);
  REQUIRE(lq_stream_create(&stream, model, nullptr) == LQ_OK);
  REQUIRE(lq_chat_template_create(&chat_template, model, nullptr, 0) == LQ_OK);
  REQUIRE(lq_sampler_create(&sampler) == LQ_OK);
  REQUIRE(lq_session_create(&session, model, nullptr) == LQ_OK);
  REQUIRE(lq_batch_create(&batch, model, nullptr) == LQ_OK);
  lq_prefix_cache_options prefixes = LQ_PREFIX_CACHE_OPTIONS_INIT;
  prefixes.max_bytes = 1 << 24;
  REQUIRE(lq_prefix_cache_create(&prefix_cache, model, &prefixes) == LQ_OK);
  const TempFolder folder;
  write_hf_checkpoint(folder / ".", hf_goldens().at("encoders").at("bert"), true);
  REQUIRE(lq_model_load(&encoder, context, (folder / ".").c_str(), nullptr) == LQ_OK);
  REQUIRE(lq_embedder_create(&embedder, encoder, nullptr) == LQ_OK);
  const lq_array x = xor_inputs(), y = xor_classes();
  REQUIRE(lq_network_create(&network, context, "linear 2 4 | tanh | linear 4 2", 1) == LQ_OK);
  REQUIRE(lq_dataset_create(&dataset, &x, &y) == LQ_OK);
  REQUIRE(lq_trainer_create(&trainer, network, nullptr) == LQ_OK);
  write_adapter(path + ".adapter", 0.5f);
  REQUIRE(lq_adapter_load(&adapter, model, (path + ".adapter").c_str()) == LQ_OK);
  REQUIRE(lq_grammar_from_regex(&grammar, "[a-z]+", LQ_NTS) == LQ_OK);
  mmlu = path + ".mmlu";
  write_mmlu(mmlu);
  lq_mmlu_options questions = LQ_MMLU_OPTIONS_INIT;
  questions.data = mmlu.c_str();
  const char* const subject = "anatomy";
  questions.subjects = &subject;
  questions.subject_count = 1;
  questions.shots = 1;
  REQUIRE(lq_mmlu_run(&report, model, &questions) == LQ_OK);
  REQUIRE(lq_prompt_create(&prompt, "{\"choices\": [\"a\", \"b\"]}", LQ_NTS, nullptr) == LQ_OK);
  const lq_document cat = cat_document();
  REQUIRE(lq_store_open(&store, (path + ".store").c_str(), nullptr, nullptr) == LQ_OK);
  REQUIRE(lq_store_add(nullptr, store, &cat, 1, nullptr, nullptr, nullptr) == LQ_OK);
  REQUIRE(lq_session_feed(session, tokens.data(), tokens.size()) == LQ_OK);
  size_t length = 0;
  REQUIRE(lq_session_save(nullptr, 0, &length, session) == LQ_OK);
  state.resize(length);
  REQUIRE(lq_session_save(state.data(), state.size(), &length, session) == LQ_OK);
}

Handles::~Handles() {
  lq_report_free(report);
  lq_prompt_free(prompt);
  lq_store_free(store);
  for (const char* name : {".store", ".store2", ".s4", ".s5", ".s6"})
    for (const char* ending : {"", "-wal", "-shm"}) unlink((path + name + ending).c_str());
  std::filesystem::remove_all(mmlu);
  lq_grammar_free(grammar);
  lq_adapter_free(adapter);
  lq_trainer_free(trainer);
  lq_dataset_free(dataset);
  lq_network_free(network);
  lq_embedder_free(embedder);
  lq_model_free(encoder);
  lq_prefix_cache_free(prefix_cache);
  lq_batch_free(batch);
  lq_session_free(session);
  lq_sampler_free(sampler);
  lq_chat_template_free(chat_template);
  lq_stream_free(stream);
  lq_model_free(model);
  lq_context_free(context);
  lq_cancel_free(cancel);
  unlink(path.c_str());
  unlink((path + ".state").c_str());
  unlink((path + ".network").c_str());
  unlink((path + ".adapter").c_str());
  unlink((path + ".quantized").c_str());
}

void* Handles::of(Kind kind) const {
  switch (kind) {
    case Kind::cancel:
      return cancel;
    case Kind::context:
      return context;
    case Kind::model:
      return model;
    case Kind::stream:
      return stream;
    case Kind::chat_template:
      return chat_template;
    case Kind::sampler:
      return sampler;
    case Kind::session:
      return session;
    case Kind::batch:
      return batch;
    case Kind::prefix_cache:
      return prefix_cache;
    case Kind::embedder:
      return embedder;
    case Kind::network:
      return network;
    case Kind::dataset:
      return dataset;
    case Kind::trainer:
      return trainer;
    case Kind::adapter:
      return adapter;
    case Kind::grammar:
      return grammar;
    case Kind::report:
      return report;
    case Kind::store:
      return store;
    case Kind::prompt:
      return prompt;
  }
  return nullptr;
}

std::vector<std::string> exported_names() {
  std::ifstream in(LQ_SOURCE_DIR "/capi/loquor.symbols");
  std::vector<std::string> names;
  for (std::string name; in >> name;) names.push_back(name);
  REQUIRE(names.size() > 80);
  return names;
}

namespace {

std::vector<CallRow> base_calls() {
  return {
      {"lq_isa_list", Takes::no_handle, {}, [](Handles&, void*) { return lq_isa_list(nullptr, 0, nullptr); }},
      {"lq_cancel_create",
       Takes::no_handle,
       {},
       [](Handles&, void*) {
         lq_cancel* c = nullptr;
         const lq_status s = lq_cancel_create(&c);
         return freed(s, c, lq_cancel_free);
       }},
      {"lq_cancel_trigger", Takes::handle, Kind::cancel,
       [](Handles&, void* h) { return lq_cancel_trigger(as<lq_cancel>(h)); }},
      {"lq_cancel_reset", Takes::handle, Kind::cancel,
       [](Handles&, void* h) { return lq_cancel_reset(as<lq_cancel>(h)); }},
      {"lq_cancel_is_set", Takes::handle, Kind::cancel,
       [](Handles&, void* h) {
         int32_t set = 0;
         return lq_cancel_is_set(&set, as<lq_cancel>(h));
       }},
      {"lq_context_create",
       Takes::no_handle,
       {},
       [](Handles&, void*) {
         lq_context* c = nullptr;
         const lq_status s = lq_context_create(&c, nullptr);
         return freed(s, c, lq_context_free);
       }},
      {"lq_context_isa", Takes::handle, Kind::context,
       [](Handles&, void* h) {
         const char* isa = nullptr;
         return lq_context_isa(&isa, as<lq_context>(h));
       }},
      {"lq_context_threads", Takes::handle, Kind::context,
       [](Handles&, void* h) {
         uint32_t n = 0;
         return lq_context_threads(&n, as<lq_context>(h));
       }},
      {"lq_context_error", Takes::handle, Kind::context,
       [](Handles&, void* h) { return lq_context_error(nullptr, 0, nullptr, as<lq_context>(h)); }},
  };
}

std::vector<CallRow> model_calls() {
  return {
      {"lq_model_load", Takes::handle, Kind::context,
       [](Handles& f, void* h) {
         lq_model* m = nullptr;
         const lq_status s = lq_model_load(&m, as<lq_context>(h), f.path.c_str(), nullptr);
         return freed(s, m, lq_model_free);
       }},
      {"lq_model_load_memory", Takes::handle, Kind::context,
       [](Handles& f, void* h) {
         lq_model* m = nullptr;
         const lq_status s = lq_model_load_memory(&m, as<lq_context>(h), f.file.data(), f.file.size(), nullptr);
         return freed(s, m, lq_model_free);
       }},
      {"lq_model_error", Takes::handle, Kind::model,
       [](Handles&, void* h) { return lq_model_error(nullptr, 0, nullptr, as<lq_model>(h)); }},
      {"lq_model_inspect", Takes::handle, Kind::context,
       [](Handles& f, void* h) {
         lq_model_info info = LQ_MODEL_INFO_INIT;
         return lq_model_inspect(&info, as<lq_context>(h), f.path.c_str(), nullptr);
       }},
      {"lq_model_inspect_json", Takes::handle, Kind::context,
       [](Handles& f, void* h) {
         return lq_model_inspect_json(nullptr, 0, nullptr, as<lq_context>(h), f.path.c_str(), nullptr);
       }},
      {"lq_model_get_info", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         lq_model_info info = LQ_MODEL_INFO_INIT;
         return lq_model_get_info(&info, as<lq_model>(h), nullptr);
       }},
      {"lq_model_load_ms", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         double ms = 0;
         return lq_model_load_ms(&ms, as<lq_model>(h));
       }},
      {"lq_model_metadata_count", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         size_t n = 0;
         return lq_model_metadata_count(&n, as<lq_model>(h));
       }},
      {"lq_model_metadata_key", Takes::handle, Kind::model,
       [](Handles&, void* h) { return lq_model_metadata_key(nullptr, 0, nullptr, as<lq_model>(h), 0); }},
      {"lq_model_metadata_value", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         return lq_model_metadata_value(nullptr, 0, nullptr, as<lq_model>(h), "general.architecture");
       }},
      {"lq_quantize", Takes::handle, Kind::context,
       [](Handles& f, void* h) {
         return lq_quantize(nullptr, as<lq_context>(h), f.path.c_str(), (f.path + ".quantized").c_str(), "q4_0",
                            nullptr);
       }},
      {"lq_catalogue_count",
       Takes::no_handle,
       {},
       [](Handles&, void*) {
         size_t n = 0;
         return lq_catalogue_count(&n);
       }},
      {"lq_catalogue_get",
       Takes::no_handle,
       {},
       [](Handles&, void*) {
         lq_catalogue_entry e = LQ_CATALOGUE_ENTRY_INIT;
         return lq_catalogue_get(&e, 0);
       }},
      {"lq_model_path",
       Takes::no_handle,
       {},
       [](Handles& f, void*) { return lq_model_path(nullptr, 0, nullptr, f.path.c_str()); }},
  };
}

std::vector<CallRow> text_calls() {
  return {
      {"lq_tokenize", Takes::handle, Kind::model,
       [](Handles&, void* h) { return lq_tokenize(nullptr, 0, nullptr, as<lq_model>(h), "hello", 5, nullptr); }},
      {"lq_detokenize", Takes::handle, Kind::model,
       [](Handles& f, void* h) {
         return lq_detokenize(nullptr, 0, nullptr, as<lq_model>(h), f.tokens.data(), f.tokens.size(), nullptr);
       }},
      {"lq_vocab_size", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         uint32_t n = 0;
         return lq_vocab_size(&n, as<lq_model>(h));
       }},
      {"lq_token_text", Takes::handle, Kind::model,
       [](Handles&, void* h) { return lq_token_text(nullptr, 0, nullptr, as<lq_model>(h), 5); }},
      {"lq_token_kind_of", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         lq_token_kind kind = LQ_TOKEN_NORMAL;
         return lq_token_kind_of(&kind, as<lq_model>(h), 5);
       }},
      {"lq_token_find", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         int32_t id = 0;
         return lq_token_find(&id, as<lq_model>(h), "hello", 5);
       }},
      {"lq_token_special", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         int32_t id = 0;
         return lq_token_special(&id, as<lq_model>(h), "eos");
       }},
      {"lq_token_is_end", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         int32_t end = 0;
         return lq_token_is_end(&end, as<lq_model>(h), 2);
       }},
      {"lq_stream_create", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         lq_stream* s = nullptr;
         const lq_status status = lq_stream_create(&s, as<lq_model>(h), nullptr);
         return freed(status, s, lq_stream_free);
       }},
      {"lq_stream_push", Takes::handle, Kind::stream,
       [](Handles&, void* h) {
         const char* text = nullptr;
         size_t n = 0;
         return lq_stream_push(&text, &n, as<lq_stream>(h), 262);
       }},
      {"lq_stream_flush", Takes::handle, Kind::stream,
       [](Handles&, void* h) {
         const char* text = nullptr;
         size_t n = 0;
         return lq_stream_flush(&text, &n, as<lq_stream>(h));
       }},
      {"lq_chat_template_create", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         // Without a source, so that a NULL model is an error.
         lq_chat_template* t = nullptr;
         const lq_status status = lq_chat_template_create(&t, as<lq_model>(h), nullptr, 0);
         return freed(status, t, lq_chat_template_free);
       }},
      {"lq_chat_render", Takes::handle, Kind::chat_template,
       [](Handles&, void* h) {
         const lq_message m = hello_message();
         return lq_chat_render(nullptr, 0, nullptr, as<lq_chat_template>(h), &m, 1, nullptr);
       }},
      {"lq_chat_tokenize", Takes::handle, Kind::chat_template,
       [](Handles& f, void* h) {
         const lq_message m = hello_message();
         return lq_chat_tokenize(nullptr, 0, nullptr, f.model, as<lq_chat_template>(h), &m, 1, nullptr);
       }},
  };
}

}  // namespace

const std::vector<CallRow>& all_calls() {
  static const std::vector<CallRow> rows = [] {
    std::vector<CallRow> all;
    for (auto* part :
         {base_calls, model_calls, text_calls, sampler_calls, session_calls, generation_calls, prefix_calls,
          embed_calls, train_calls, adapter_calls, grammar_calls, eval_calls, rag_calls, prompt_calls, attention_calls})
      for (const CallRow& row : part()) all.push_back(row);
    return all;
  }();
  return rows;
}

}  // namespace lq_test
