#include "arguments.hpp"

using namespace lq_test;

namespace {

const BadRow kBase[] = {
    {"cancel_create NULL", kInvalid, [](Handles&) { return lq_cancel_create(nullptr); }},
    {"cancel_is_set NULL", kInvalid, [](Handles& h) { return lq_cancel_is_set(nullptr, h.cancel); }},
    {"isa_list NULL with a capacity", kInvalid, [](Handles&) { return lq_isa_list(nullptr, 5, nullptr); }},
    {"isa_list too small", LQ_ERR_BUFFER_TOO_SMALL,
     [](Handles&) {
       char c[2];
       return lq_isa_list(c, sizeof c, nullptr);
     }},
    {"context_create NULL", kInvalid, [](Handles&) { return lq_context_create(nullptr, nullptr); }},
    {"context threads", kInvalid, [](Handles&) { return create_context([](auto& o) { o.threads = 5000; }); }},
    {"context threads at most", kInvalid,
     [](Handles&) { return create_context([](auto& o) { o.threads = UINT32_MAX; }); }},
    {"context affinity NULL", kInvalid, [](Handles&) { return create_context([](auto& o) { o.affinity_count = 3; }); }},
    {"context affinity huge", LQ_ERR_LIMIT,
     [](Handles&) { return create_context([](auto& o) { o.affinity_count = SIZE_MAX; }); }},
    {"context affinity negative", kInvalid,
     [](Handles&) {
       static const int32_t cpus[] = {0, -1};
       return create_context([](auto& o) {
         o.affinity = cpus;
         o.affinity_count = 2;
       });
     }},
    {"context allocate alone", kInvalid,
     [](Handles&) {
       return create_context([](auto& o) { o.allocate = [](size_t, size_t, void*) -> void* { return nullptr; }; });
     }},
    {"context isa", LQ_ERR_UNSUPPORTED, [](Handles&) { return create_context([](auto& o) { o.isa = "z80"; }); }},
    {"context struct_size 0", kInvalid, [](Handles&) { return create_context([](auto& o) { o.struct_size = 0; }); }},
    {"context struct_size 4", kInvalid, [](Handles&) { return create_context([](auto& o) { o.struct_size = 4; }); }},
    {"context struct_size huge", kInvalid,
     [](Handles&) { return create_context([](auto& o) { o.struct_size = UINT32_MAX; }); }},
    {"context reserved", kInvalid, [](Handles&) { return create_context([](auto& o) { o.reserved = 1; }); }},
};

const BadRow kModel[] = {
    {"load out NULL", kInvalid, [](Handles& h) { return lq_model_load(nullptr, h.context, "x", nullptr); }},
    {"load source NULL", kInvalid,
     [](Handles& h) {
       lq_model* m = nullptr;
       return lq_model_load(&m, h.context, nullptr, nullptr);
     }},
    {"load no such file", LQ_ERR_NOT_FOUND,
     [](Handles& h) {
       lq_model* m = nullptr;
       return lq_model_load(&m, h.context, "/nonexistent", nullptr);
     }},
    {"load endless name", LQ_ERR_LIMIT,
     [](Handles& h) {
       lq_model* m = nullptr;
       return lq_model_load(&m, h.context, std::string(1 << 20, 'x').c_str(), nullptr);
     }},
    {"load_memory NULL", kInvalid,
     [](Handles& h) {
       lq_model* m = nullptr;
       return lq_model_load_memory(&m, h.context, nullptr, 100, nullptr);
     }},
    {"load_memory nothing", LQ_ERR_BAD_FILE,
     [](Handles& h) {
       lq_model* m = nullptr;
       return lq_model_load_memory(&m, h.context, h.file.data(), 0, nullptr);
     }},
    {"load_memory size", LQ_ERR_LIMIT,
     [](Handles& h) {
       lq_model* m = nullptr;
       return lq_model_load_memory(&m, h.context, h.file.data(), SIZE_MAX, nullptr);
     }},
    {"load_memory half", LQ_ERR_BAD_FILE,
     [](Handles& h) {
       lq_model* m = nullptr;
       return lq_model_load_memory(&m, h.context, h.file.data(), h.file.size() / 2, nullptr);
     }},
    {"load compute", kInvalid, [](Handles& h) { return load(h, [](auto& o) { o.compute = 7; }); }},
    {"load compute negative", kInvalid, [](Handles& h) { return load(h, [](auto& o) { o.compute = INT32_MIN; }); }},
    {"load cap", LQ_ERR_OUT_OF_MEMORY, [](Handles& h) { return load(h, [](auto& o) { o.memory_cap = 1000; }); }},
    {"load stopped by progress", LQ_ERR_CANCELLED,
     [](Handles& h) { return load(h, [](auto& o) { o.progress = [](float, void*) { return 1; }; }); }},
    {"load wrong cancel handle", kInvalid,
     [](Handles& h) {
       static lq_cancel* wrong;
       wrong = reinterpret_cast<lq_cancel*>(h.sampler);
       return load(h, [](auto& o) { o.cancel = wrong; });
     }},
    {"load cancelled", LQ_ERR_CANCELLED,
     [](Handles& h) {
       static lq_cancel* cancel;
       cancel = h.cancel;
       lq_cancel_trigger(cancel);
       return load(h, [](auto& o) { o.cancel = cancel; });
     }},
    {"inspect NULL", kInvalid,
     [](Handles& h) { return lq_model_inspect(nullptr, h.context, h.path.c_str(), nullptr); }},
    {"inspect kv type", kInvalid,
     [](Handles& h) {
       lq_model_info info = LQ_MODEL_INFO_INIT;
       lq_inspect_options o = LQ_INSPECT_OPTIONS_INIT;
       o.kv_type = "q4_1";
       return lq_model_inspect(&info, h.context, h.path.c_str(), &o);
     }},
    {"inspect struct_size", kInvalid,
     [](Handles& h) {
       lq_model_info info = LQ_MODEL_INFO_INIT;
       info.struct_size = 8;
       return lq_model_inspect(&info, h.context, h.path.c_str(), nullptr);
     }},
    {"metadata index", kInvalid,
     [](Handles& h) { return lq_model_metadata_key(nullptr, 0, nullptr, h.model, SIZE_MAX); }},
    {"metadata key NULL", kInvalid,
     [](Handles& h) { return lq_model_metadata_value(nullptr, 0, nullptr, h.model, nullptr); }},
    {"catalogue index", kInvalid,
     [](Handles&) {
       lq_catalogue_entry e = LQ_CATALOGUE_ENTRY_INIT;
       return lq_catalogue_get(&e, SIZE_MAX);
     }},
    {"catalogue NULL", kInvalid, [](Handles&) { return lq_catalogue_get(nullptr, 0); }},
    {"path unknown", LQ_ERR_NOT_FOUND, [](Handles&) { return lq_model_path(nullptr, 0, nullptr, "no-such-model"); }},
};

const BadRow kQuantize[] = {
    {"quantize source NULL", kInvalid,
     [](Handles& h) { return lq_quantize(nullptr, h.context, nullptr, "/tmp/x", "q8_0", nullptr); }},
    {"quantize target NULL", kInvalid,
     [](Handles& h) { return lq_quantize(nullptr, h.context, h.path.c_str(), nullptr, "q8_0", nullptr); }},
    {"quantize target empty", kInvalid,
     [](Handles& h) { return lq_quantize(nullptr, h.context, h.path.c_str(), "", "q8_0", nullptr); }},
    {"quantize target is the source", kInvalid,
     [](Handles& h) { return lq_quantize(nullptr, h.context, h.path.c_str(), h.path.c_str(), "q8_0", nullptr); }},
    {"quantize target is a folder", kInvalid,
     [](Handles& h) { return lq_quantize(nullptr, h.context, h.path.c_str(), "/tmp", "q8_0", nullptr); }},
    {"quantize target in no folder", LQ_ERR_IO,
     [](Handles& h) { return lq_quantize(nullptr, h.context, h.path.c_str(), "/nonexistent/x", "q8_0", nullptr); }},
    {"quantize no such source", LQ_ERR_NOT_FOUND,
     [](Handles& h) { return lq_quantize(nullptr, h.context, "/nonexistent", "/tmp/x", "q8_0", nullptr); }},
    {"quantize type NULL", kInvalid,
     [](Handles& h) { return lq_quantize(nullptr, h.context, h.path.c_str(), "/tmp/x", nullptr, nullptr); }},
    {"quantize type unknown", kInvalid,
     [](Handles& h) { return lq_quantize(nullptr, h.context, h.path.c_str(), "/tmp/x", "q3_k", nullptr); }},
    {"quantize type of integers", kInvalid,
     [](Handles& h) { return lq_quantize(nullptr, h.context, h.path.c_str(), "/tmp/x", "i32", nullptr); }},
    {"quantize endless type", LQ_ERR_LIMIT,
     [](Handles& h) {
       return lq_quantize(nullptr, h.context, h.path.c_str(), "/tmp/x", std::string(1 << 20, 'q').c_str(), nullptr);
     }},
    {"quantize head unknown", kInvalid, [](Handles& h) { return quantize(h, [](auto& o) { o.head = "q8"; }); }},
    {"quantize options struct_size", kInvalid,
     [](Handles& h) { return quantize(h, [](auto& o) { o.struct_size = 4; }); }},
    {"quantize result struct_size", kInvalid,
     [](Handles& h) {
       lq_quantize_result r = LQ_QUANTIZE_RESULT_INIT;
       r.struct_size = 0;
       return lq_quantize(&r, h.context, h.path.c_str(), "/tmp/x", "q8_0", nullptr);
     }},
    {"quantize cancel is no handle", kInvalid,
     [](Handles& h) {
       static lq_cancel* wrong;
       wrong = reinterpret_cast<lq_cancel*>(h.model);
       return quantize(h, [](auto& o) { o.cancel = wrong; });
     }},
    {"quantize cancelled", LQ_ERR_CANCELLED,
     [](Handles& h) {
       static lq_cancel* cancel;
       cancel = h.cancel;
       lq_cancel_trigger(h.cancel);
       return quantize(h, [](auto& o) { o.cancel = cancel; });
     }},
    {"quantize stopped by progress", LQ_ERR_CANCELLED,
     [](Handles& h) { return quantize(h, [](auto& o) { o.progress = [](float, void*) { return 1; }; }); }},
};

const BadRow kText[] = {
    {"tokenize NULL", kInvalid,
     [](Handles& h) { return lq_tokenize(nullptr, 0, nullptr, h.model, nullptr, 3, nullptr); }},
    {"tokenize 2 GiB", LQ_ERR_LIMIT,
     [](Handles& h) { return lq_tokenize(nullptr, 0, nullptr, h.model, "x", size_t{1} << 31, nullptr); }},
    {"tokenize nearly SIZE_MAX", LQ_ERR_LIMIT,
     [](Handles& h) { return lq_tokenize(nullptr, 0, nullptr, h.model, "x", SIZE_MAX - 1, nullptr); }},
    {"tokenize too small", LQ_ERR_BUFFER_TOO_SMALL,
     [](Handles& h) {
       int32_t id = 0;
       return lq_tokenize(&id, 1, nullptr, h.model, "hello world", LQ_NTS, nullptr);
     }},
    {"detokenize id", kInvalid,
     [](Handles& h) {
       const int32_t ids[] = {1, 100000};
       return lq_detokenize(nullptr, 0, nullptr, h.model, ids, 2, nullptr);
     }},
    {"detokenize negative", kInvalid,
     [](Handles& h) {
       const int32_t id = -1;
       return lq_detokenize(nullptr, 0, nullptr, h.model, &id, 1, nullptr);
     }},
    {"detokenize count", LQ_ERR_LIMIT,
     [](Handles& h) { return lq_detokenize(nullptr, 0, nullptr, h.model, h.tokens.data(), SIZE_MAX, nullptr); }},
    {"token_text id", kInvalid, [](Handles& h) { return lq_token_text(nullptr, 0, nullptr, h.model, INT32_MIN); }},
    {"token_kind id", kInvalid,
     [](Handles& h) {
       lq_token_kind k;
       return lq_token_kind_of(&k, h.model, INT32_MAX);
     }},
    {"token_is_end id", kInvalid,
     [](Handles& h) {
       int32_t end;
       return lq_token_is_end(&end, h.model, 267);
     }},
    {"token_find nothing", LQ_ERR_NOT_FOUND,
     [](Handles& h) {
       int32_t id;
       return lq_token_find(&id, h.model, "no such token", LQ_NTS);
     }},
    {"token_special role", kInvalid,
     [](Handles& h) {
       int32_t id;
       return lq_token_special(&id, h.model, "boss");
     }},
    {"stream_push id", kInvalid,
     [](Handles& h) {
       const char* text;
       size_t n;
       return lq_stream_push(&text, &n, h.stream, 9999);
     }},
    {"stream_push NULL", kInvalid, [](Handles& h) { return lq_stream_push(nullptr, nullptr, h.stream, 5); }},
    {"template of nothing", kInvalid,
     [](Handles&) {
       lq_chat_template* t = nullptr;
       return lq_chat_template_create(&t, nullptr, nullptr, 0);
     }},
    {"template syntax", LQ_ERR_TEMPLATE,
     [](Handles&) {
       lq_chat_template* t = nullptr;
       return lq_chat_template_create(&t, nullptr, "{% if %}", LQ_NTS);
     }},
    {"template raises", LQ_ERR_TEMPLATE,
     [](Handles&) {
       lq_chat_template* t = nullptr;
       REQUIRE(lq_chat_template_create(&t, nullptr, "{{ raise_exception('no') }}", LQ_NTS) == LQ_OK);
       lq_message m = LQ_MESSAGE_INIT;
       m.role = "user";
       const lq_status s = lq_chat_render(nullptr, 0, nullptr, t, &m, 1, nullptr);
       lq_chat_template_free(t);
       return s;
     }},
    {"template output bound", LQ_ERR_LIMIT,
     [](Handles& h) {
       lq_message m = LQ_MESSAGE_INIT;
       m.role = "user";
       m.content = "a text that is longer than the bound";
       lq_chat_options o = LQ_CHAT_OPTIONS_INIT;
       o.max_output = 8;
       return lq_chat_render(nullptr, 0, nullptr, h.chat_template, &m, 1, &o);
     }},
    {"no messages", kInvalid,
     [](Handles& h) { return lq_chat_render(nullptr, 0, nullptr, h.chat_template, nullptr, 0, nullptr); }},
    {"messages NULL", kInvalid,
     [](Handles& h) { return lq_chat_render(nullptr, 0, nullptr, h.chat_template, nullptr, 3, nullptr); }},
    {"messages without end", LQ_ERR_LIMIT,
     [](Handles& h) {
       const lq_message m = LQ_MESSAGE_INIT;
       return lq_chat_render(nullptr, 0, nullptr, h.chat_template, &m, SIZE_MAX, nullptr);
     }},
    {"message role NULL", kInvalid, [](Handles& h) { return render(h, [](auto& m) { m.role = nullptr; }); }},
    {"message struct_size", kInvalid, [](Handles& h) { return render(h, [](auto& m) { m.struct_size = 3; }); }},
    {"message length", LQ_ERR_LIMIT,
     [](Handles& h) { return render(h, [](auto& m) { m.content_length = SIZE_MAX - 1; }); }},
    {"message json", kInvalid, [](Handles& h) { return render(h, [](auto& m) { m.extra_json = "{\"a\":"; }); }},
    {"message json of another kind", kInvalid,
     [](Handles& h) { return render(h, [](auto& m) { m.extra_json = "[]"; }); }},
};

}  // namespace

TEST_CASE("wrong arguments to contexts and cancel handles are refused", "[capi]") { run(kBase); }
TEST_CASE("wrong arguments to models are refused", "[capi]") { run(kModel); }
TEST_CASE("wrong arguments to quantising are refused", "[capi]") { run(kQuantize); }
TEST_CASE("wrong arguments to text and chat functions are refused", "[capi]") { run(kText); }
