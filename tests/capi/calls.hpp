// Every function of the C interface with arguments that are right, over a tiny model: the table that the tests of
// handles, of the exception firewall and of completeness go through.
#pragma once

#include <string>
#include <vector>

#include "handles.hpp"
#include "loquor.h"

namespace lq_test {

// One of each handle, made anew for each test.
struct Handles {
  Handles();
  ~Handles();
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;

  void* of(lq::capi::Kind kind) const;

  std::string file;  // the model's bytes
  std::string path;  // the same as a file
  lq_cancel* cancel = nullptr;
  lq_context* context = nullptr;
  lq_model* model = nullptr;
  lq_stream* stream = nullptr;
  lq_chat_template* chat_template = nullptr;
  lq_sampler* sampler = nullptr;
  lq_session* session = nullptr;  // holds "hello" and has logits
  lq_batch* batch = nullptr;
  lq_prefix_cache* prefix_cache = nullptr;
  lq_model* encoder = nullptr;
  lq_embedder* embedder = nullptr;
  lq_network* network = nullptr;
  lq_dataset* dataset = nullptr;  // XOR
  lq_trainer* trainer = nullptr;
  lq_adapter* adapter = nullptr;  // of the model
  lq_grammar* grammar = nullptr;  // "a" to "z", one or more
  lq_report* report = nullptr;    // of two questions
  lq_prompt* prompt = nullptr;    // "a" or "b"
  lq_store* store = nullptr;      // of a document, by words
  std::string mmlu;               // their folder
  std::vector<std::int32_t> tokens = {262, 35, 265, 114};
  std::string state;  // of the session
};

enum class Takes { no_handle, handle };

struct CallRow {
  const char* function;
  Takes takes;
  lq::capi::Kind kind;  // of the handle, if it takes one
  lq_status (*call)(Handles& h, void* handle);
};

const std::vector<CallRow>& all_calls();

// Parts of the table.
std::vector<CallRow> sampler_calls();
std::vector<CallRow> session_calls();
std::vector<CallRow> generation_calls();
std::vector<CallRow> prefix_calls();
std::vector<CallRow> embed_calls();
std::vector<CallRow> train_calls();
std::vector<CallRow> adapter_calls();
std::vector<CallRow> grammar_calls();
std::vector<CallRow> eval_calls();
std::vector<CallRow> rag_calls();
std::vector<CallRow> prompt_calls();
std::vector<CallRow> attention_calls();
lq_document cat_document();
void write_mmlu(const std::string& folder);  // "anatomy": an example and two questions

// Four points and their classes.
lq_array xor_inputs();
lq_array xor_classes();

template <class T>
T* as(void* handle) {
  return static_cast<T*>(handle);
}

inline lq_message hello_message() {
  lq_message m = LQ_MESSAGE_INIT;
  m.role = "user";
  m.content = "hello";
  return m;
}

inline lq_generate_options short_generation() {
  lq_generate_options o = LQ_GENERATE_OPTIONS_INIT;
  o.max_tokens = 3;
  return o;
}

// What a creating function made, freed again.
template <class T>
lq_status freed(lq_status status, T* made, void (*release)(T*)) {
  release(made);
  return status;
}

// The names in capi/loquor.symbols.
std::vector<std::string> exported_names();

}  // namespace lq_test
