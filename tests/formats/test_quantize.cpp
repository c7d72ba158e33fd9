#include "loquor/formats/quantize.hpp"

#include <sys/resource.h>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <filesystem>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "loquor/formats/gguf.hpp"
#include "loquor/formats/gguf_writer.hpp"
#include "loquor/quant/rows.hpp"
#include "temp_folder.hpp"
#include "test_data.hpp"
#include "tiny_model.hpp"

namespace {

using namespace lq;
using lq_test::read_bytes;
using lq_test::TempFolder;
using lq_test::write_bytes;

constexpr DType kTypes[] = {DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_0, DType::Q4_1};

Context context(unsigned threads = 2) {
  ContextOptions options;
  options.threads.threads = threads;
  return Context(std::move(options));
}

QuantizeOptions as(DType type) {
  QuantizeOptions o;
  o.type = type;
  return o;
}

// The error that quantising gives.
Error failure(const std::string& source, const std::string& target, const QuantizeOptions& options) {
  try {
    quantize_file(context(), source, target, options);
  } catch (const Error& e) {
    return e;
  }
  return Error(Code::ok, "no error");
}

std::vector<float> values(const GgufTensor& t) {
  std::vector<float> out(t.shape.count());
  decode_row(t.type, t.data, out.size(), out.data());
  return out;
}

std::string encoded(const GgufTensor& t, DType type) {
  const std::vector<float> x = values(t);
  std::string out(row_bytes(type, x.size()), '\0');
  encode_row(type, x.data(), x.size(), reinterpret_cast<std::byte*>(out.data()));
  return out;
}

bool same_bytes(const GgufTensor& t, const std::string& bytes) {
  return t.nbytes == bytes.size() && std::memcmp(t.data, bytes.data(), bytes.size()) == 0;
}

// A host that computes with denormals as zeros and rounds towards zero.
struct FlushToZero {
#if defined(__x86_64__)
  unsigned saved = _mm_getcsr();
  FlushToZero() { _mm_setcsr(0xffc0); }
  ~FlushToZero() { _mm_setcsr(saved); }
#endif
};

// One F32 tensor of {rows, columns}.
void write_f32(const std::string& path, const std::string& name, std::size_t rows, std::size_t columns,
               const std::vector<float>& x) {
  GgufWriter w;
  w.add_tensor(name, DType::F32, {rows, columns});
  w.begin(path);
  w.write(x.data(), x.size() * sizeof(float));
  w.commit();
}

}  // namespace

TEST_CASE("matrices get the type, the head its own, and all else stays", "[quantize]") {
  const TempFolder folder;
  const std::string source = folder / "tiny.gguf", target = folder / "out.gguf";
  for (const bool tied : {false, true}) {
    lq_test::TinyModel tiny;
    tiny.tied = tied;
    write_bytes(source, tiny.gguf());
    const GgufFile a = GgufFile::open(source);
    const std::string head = tied ? "token_embd.weight" : "output.weight";
    for (const DType type : kTypes) {
      INFO(name(type) << (tied ? ", tied" : ""));
      const QuantizeResult r = quantize_file(context(), source, target, as(type));
      const GgufFile b = GgufFile::open(target);
      const DType head_type = type == DType::Q4_0 || type == DType::Q4_1 ? DType::Q8_0 : type;
      CHECK(r.head == head_type);
      CHECK(r.tensors == a.tensors().size());
      CHECK(r.source_bytes == a.file_size());
      CHECK(r.target_bytes == b.file_size());
      REQUIRE(b.tensors().size() == a.tensors().size());
      std::size_t converted = 0, twice = 0;  // the tiny model is Q8_0
      for (std::size_t i = 0; i < a.tensors().size(); ++i) {
        const GgufTensor &x = a.tensors()[i], &y = b.tensors()[i];
        INFO(x.name);
        CHECK(x.name == y.name);
        CHECK(x.shape == y.shape);
        const bool vector = x.name.find("norm") != x.name.npos;
        CHECK(y.type == (vector ? DType::F32 : x.name == head ? head_type : type));
        CHECK(same_bytes(
            y, y.type == x.type ? std::string(reinterpret_cast<const char*>(x.data), x.nbytes) : encoded(x, y.type)));
        converted += x.type != y.type;
        twice += x.type != y.type && is_block_type(y.type);
      }
      CHECK(r.converted == converted);
      CHECK(r.requantized == twice);
      CHECK(r.odd == 0);
    }
  }
}

TEST_CASE("keys are copied, with the file's type and the version set", "[quantize]") {
  const TempFolder folder;
  const std::string source = folder / "tiny.gguf", typed = folder / "typed.gguf", target = folder / "out.gguf";
  write_bytes(source, lq_test::TinyModel().gguf());
  constexpr std::uint64_t kFileTypes[] = {0, 1, 32, 7, 2, 3};
  quantize_file(context(), source, typed, as(DType::F16));  // has both keys
  for (const std::string& from : {source, typed})
    for (std::size_t i = 0; i < std::size(kTypes); ++i) {
      INFO(name(kTypes[i]));
      quantize_file(context(), from, target, as(kTypes[i]));
      const GgufFile a = GgufFile::open(source), b = GgufFile::open(target);
      CHECK(b.find("general.file_type")->type() == GgufType::u32);
      CHECK(b.find("general.file_type")->as_uint() == kFileTypes[i]);
      CHECK(b.find("general.quantization_version")->as_uint() == 2);
      REQUIRE(b.metadata().size() == a.metadata().size() + 2);
      for (std::size_t k = 0; k < a.metadata().size(); ++k) {
        const GgufFile::Entry &x = a.metadata()[k], &y = b.metadata()[k];
        INFO(x.key);
        CHECK(x.key == y.key);
        CHECK(x.value.type() == y.value.type());
        CHECK(
            std::equal(x.value.bytes().begin(), x.value.bytes().end(), y.value.bytes().begin(), y.value.bytes().end()));
      }
    }
}

TEST_CASE("the head's type can be chosen", "[quantize]") {
  const TempFolder folder;
  write_bytes(folder / "tiny.gguf", lq_test::TinyModel().gguf());
  for (const DType head : kTypes) {
    QuantizeOptions o = as(DType::Q4_0);
    o.head = head;
    CHECK(quantize_file(context(), folder / "tiny.gguf", folder / "out.gguf", o).head == head);
    const GgufFile b = GgufFile::open(folder / "out.gguf");
    CHECK(b.find_tensor("output.weight")->type == head);
    CHECK(b.find_tensor("token_embd.weight")->type == DType::Q4_0);
  }
}

TEST_CASE("the bytes do not depend on the number of threads or the floating-point settings", "[quantize]") {
  const TempFolder folder;
  // Several chunks, the last one ragged, and rows of an odd length for the plain types.
  lq::Random random(3);
  std::vector<float> x(1300 * 1600 + 32 * 3);
  for (float& v : x) v = (static_cast<float>(random.next() % 2001) - 1000.0f) * 1e-42f;  // denormals among them
  for (std::size_t i = 0; i < x.size(); i += 3) x[i] = static_cast<float>(random.next() % 2001) * 0.01f;
  write_f32(folder / "a.gguf", "a.weight", x.size() / 32, 32, x);
  for (const DType type : {DType::Q4_1, DType::F16}) {
    std::string first;
    for (const unsigned threads : {1u, 2u, 5u}) {
      const FlushToZero host;
      quantize_file(context(threads), folder / "a.gguf", folder / "out.gguf", as(type));
      if (first.empty()) first = read_bytes(folder / "out.gguf");
      CHECK((read_bytes(folder / "out.gguf") == first));
    }
    const GgufFile b = GgufFile::open(folder / "out.gguf");
    GgufTensor t;
    t.shape = {x.size()};
    t.data = reinterpret_cast<const std::byte*>(x.data());
    CHECK(same_bytes(b.tensors()[0], encoded(t, type)));
  }
}

TEST_CASE("rows that are not a multiple of the block become F16", "[quantize]") {
  const TempFolder folder;
  write_f32(folder / "a.gguf", "a.weight", 5, 33, std::vector<float>(165, 0.5f));
  const QuantizeResult r = quantize_file(context(), folder / "a.gguf", folder / "out.gguf", as(DType::Q8_0));
  CHECK(r.odd == 1);
  CHECK(GgufFile::open(folder / "out.gguf").tensors()[0].type == DType::F16);
  CHECK(values(GgufFile::open(folder / "out.gguf").tensors()[0]) == std::vector<float>(165, 0.5f));
}

TEST_CASE("norms, gates, vectors and what is no weight are kept", "[quantize]") {
  const TempFolder folder;
  const std::vector<float> x(64 * 2, 1.0f);
  for (const char* name : {"blk.0.attn_q_norm.weight", "blk.0.ffn_gate_inp.weight", "position_embd.weight",
                           "blk.0.ssm_conv1d.weight", "blk.0.time_mix_w1.weight", "blk.0.attn_q.bias", "rope_freqs"}) {
    INFO(name);
    write_f32(folder / "a.gguf", name, 2, 64, x);
    CHECK(quantize_file(context(), folder / "a.gguf", folder / "out.gguf", as(DType::Q8_0)).converted == 0);
  }
  write_f32(folder / "a.gguf", "a.weight", 1, 128, x);
  CHECK(quantize_file(context(), folder / "a.gguf", folder / "out.gguf", as(DType::Q8_0)).converted == 0);
  write_f32(folder / "a.gguf", "a.weight", 2, 64, x);
  CHECK(quantize_file(context(), folder / "a.gguf", folder / "out.gguf", as(DType::Q8_0)).converted == 1);
}

TEST_CASE("a value that the type cannot hold is refused by tensor, row and column", "[quantize]") {
  const TempFolder folder;
  write_bytes(folder / "out.gguf", "before");
  std::vector<float> x(3000 * 64, 0.25f);
  x[2000 * 64 + 40] = 1e9f;
  x[2900 * 64] = INFINITY;
  write_f32(folder / "a.gguf", "big.weight", 3000, 64, x);
  const Error e = failure(folder / "a.gguf", folder / "out.gguf", as(DType::Q4_0));
  CHECK(e.code() == Code::bad_file);
  CHECK(std::string(e.what()).find("'big.weight', row 2000, columns 32 to 63") != std::string::npos);
  CHECK(failure(folder / "a.gguf", folder / "out.gguf", as(DType::BF16)).code() == Code::bad_file);
  CHECK(read_bytes(folder / "out.gguf") == "before");
  CHECK(folder.files() == 2);
}

TEST_CASE("wrong sources and targets are refused before anything is written", "[quantize]") {
  const TempFolder folder;
  const std::string source = folder / "tiny.gguf";
  write_bytes(source, lq_test::TinyModel().gguf());
  const std::string before = read_bytes(source);
  std::filesystem::create_hard_link(source, folder / "same.gguf");
  std::filesystem::create_symlink(source, folder / "link.gguf");
  std::filesystem::create_directory(folder / "folder");
  for (const char* target : {"tiny.gguf", "same.gguf", "link.gguf", "folder", "./tiny.gguf"}) {
    INFO(target);
    CHECK(failure(source, folder / target, as(DType::Q4_0)).code() == Code::invalid_argument);
  }
  CHECK(failure(source, "", as(DType::Q4_0)).code() == Code::invalid_argument);
  CHECK(failure(source, folder / "out.gguf", as(DType::I32)).code() == Code::invalid_argument);
  CHECK(failure(folder / "none.gguf", folder / "out.gguf", as(DType::Q4_0)).code() == Code::not_found);
  CHECK(failure(source, folder / "none/out.gguf", as(DType::Q4_0)).code() == Code::io);
  write_bytes(folder / "bad.gguf", before.substr(0, before.size() / 2));
  CHECK(failure(folder / "bad.gguf", folder / "out.gguf", as(DType::Q4_0)).code() == Code::bad_file);
  lq_test::detail::GgufWriter split;
  split.u32("split.count", 3);
  write_bytes(folder / "part.gguf", split.finish());
  CHECK(failure(folder / "part.gguf", folder / "out.gguf", as(DType::Q4_0)).code() == Code::bad_file);
  lq_test::detail::GgufWriter unknown;
  unknown.tensor("odd.weight", 16, {256, 1}, std::string(66, '\0'));
  write_bytes(folder / "iq2.gguf", unknown.finish());
  const Error e = failure(folder / "iq2.gguf", folder / "out.gguf", as(DType::Q4_0));
  CHECK(e.code() == Code::unsupported);
  CHECK(std::string(e.what()).find("'odd.weight' has type 16 (IQ2_XXS)") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder / "out.gguf"));
  CHECK(read_bytes(source) == before);
  CHECK(folder.files() == 7);
}

TEST_CASE("quantising stops when asked to, at every point, and leaves nothing behind", "[quantize]") {
  const TempFolder folder;
  const std::string source = folder / "tiny.gguf", target = folder / "out.gguf";
  write_bytes(source, lq_test::TinyModel().gguf());
  write_bytes(target, "before");
  std::vector<float> fractions;
  QuantizeOptions o = as(DType::Q4_1);
  o.progress = [&](float f) {
    fractions.push_back(f);
    return true;
  };
  quantize_file(context(), source, folder / "all.gguf", o);
  REQUIRE(fractions.size() >= 20);
  CHECK(std::is_sorted(fractions.begin(), fractions.end()));
  CHECK(fractions.back() == 1.0f);
  for (std::size_t k = 0; k < fractions.size(); ++k)
    for (const bool by_flag : {false, true}) {
      std::atomic<bool> flag{false};
      std::size_t calls = 0;
      o.cancel = &flag;
      o.progress = [&](float) {
        if (calls++ < k) return true;
        flag = by_flag;
        return by_flag;
      };
      CHECK(failure(source, target, o).code() == Code::cancelled);
    }
  CHECK(read_bytes(target) == "before");
  CHECK(folder.files() == 3);
}

TEST_CASE("a full disk at any point is reported and leaves the old file", "[quantize]") {
  const TempFolder folder;
  const std::string source = folder / "tiny.gguf", target = folder / "out.gguf";
  write_bytes(source, lq_test::TinyModel().gguf());
  write_bytes(target, "before");
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  for (rlim_t limit = 0; limit < 90000; limit += 3001) {
    INFO(limit);
    const rlimit small{limit, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const Error e = failure(source, target, as(DType::F16));
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK(e.code() == Code::io);
    CHECK(std::string(e.what()).find("after " + std::to_string(limit) + " of ") != std::string::npos);
  }
  std::signal(SIGXFSZ, handler);
  CHECK(read_bytes(target) == "before");
  CHECK(folder.files() == 2);
}

TEST_CASE("the default model quantised to its own type is the same file", "[quantize]") {
  LQ_NEED_FILE(lq_test::model_path());
  const TempFolder folder;
  const QuantizeResult r = quantize_file(context(), lq_test::model_path(), folder / "out.gguf", as(DType::Q4_1));
  CHECK(r.converted == 0);
  CHECK(r.head == DType::Q8_0);
  CHECK((read_bytes(folder / "out.gguf") == read_bytes(lq_test::model_path())));
}
