// roofline [--threads N] [--cpus 0,1] [--isa avx2|avx512] [--only read96,read2048,int8,fp32,bf16] [--rounds N]
// What this machine can do at most, as JSON: bytes read a second from a buffer of 96 MB and of 2 GB on huge pages, and
// the peak of int8, fp32 and bf16 arithmetic, with all threads at work. examples/bench/compare sets engines beside it.
// Stands alone: no Loquor in it. Each kernel is compiled for its instruction set and chosen at run time.
#include <immintrin.h>
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

#define TARGET(isa) __attribute__((target(isa), noinline))
// Makes the compiler forget what it knows of a register, so that equal operations are not merged; no instruction.
#define FORGET(x) __asm__ volatile("" : "+x"(x))
#define FORGET_ZMM(x) __asm__ volatile("" : "+v"(x))

using Clock = std::chrono::steady_clock;

struct Options {
  unsigned threads = 0, rounds = 7;
  std::vector<int> cpus;
  std::string only;
  bool avx512 = true;
};

bool has(const char* what) {
  __builtin_cpu_init();
  const std::string w = what;
  if (w == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (w == "avx512") return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
  if (w == "vnni") return has("avx512") && __builtin_cpu_supports("avx512vnni");
  return has("avx512") && __builtin_cpu_supports("avx512bf16");
}

// ---- Threads: all begin together; the time is from there until the last one ends.

double run_on_all(const Options& o, const std::function<void(unsigned)>& work) {
  std::atomic<unsigned> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < o.threads; ++t)
    threads.emplace_back([&, t] {
      if (t < o.cpus.size()) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(o.cpus[t], &set);
        pthread_setaffinity_np(pthread_self(), sizeof set, &set);
      }
      ++ready;
      while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
      work(t);
    });
  while (ready < o.threads) std::this_thread::yield();
  const auto start = Clock::now();
  go.store(true, std::memory_order_release);
  for (std::thread& t : threads) t.join();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

// ---- Reading

constexpr std::size_t kHuge = std::size_t(2) << 20;
std::atomic<std::uint64_t> g_sink{0};  // what is read must be used

// Streams: the part is cut into that many, read side by side. Ahead: bytes of software prefetch, 0 = none.
struct ReadShape {
  unsigned streams, ahead;
};
constexpr ReadShape kShapes[] = {{1, 0},    {1, 2048}, {1, 8192}, {1, 32768}, {2, 0},   {2, 2048},
                                 {2, 8192}, {4, 0},    {4, 4096}, {8, 0},     {8, 2048}};

TARGET("avx512f") void read_512(const char* p, std::size_t n, ReadShape s) {
  const std::size_t step = n / s.streams / 256 * 256;
  __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
  for (std::size_t i = 0; i < step; i += 256)
    for (unsigned k = 0; k < s.streams; ++k) {
      const char* q = p + k * step + i;
      if (s.ahead)
        for (unsigned line = 0; line < 4; ++line) _mm_prefetch(q + s.ahead + 64 * line, _MM_HINT_T0);
      a = _mm512_xor_si512(a, _mm512_load_si512(q));
      b = _mm512_xor_si512(b, _mm512_load_si512(q + 64));
      c = _mm512_xor_si512(c, _mm512_load_si512(q + 128));
      d = _mm512_xor_si512(d, _mm512_load_si512(q + 192));
    }
  alignas(64) std::uint64_t out[8];
  _mm512_store_si512(out, _mm512_xor_si512(_mm512_xor_si512(a, b), _mm512_xor_si512(c, d)));
  g_sink += out[0];
}

TARGET("avx2") void read_256(const char* p, std::size_t n, ReadShape s) {
  const std::size_t step = n / s.streams / 256 * 256;
  __m256i a = _mm256_setzero_si256(), b = a;
  for (std::size_t i = 0; i < step; i += 256)
    for (unsigned k = 0; k < s.streams; ++k) {
      const auto* q = reinterpret_cast<const __m256i*>(p + k * step + i);
      if (s.ahead)
        for (unsigned line = 0; line < 4; ++line)
          _mm_prefetch(reinterpret_cast<const char*>(q) + s.ahead + 64 * line, _MM_HINT_T0);
      for (unsigned j = 0; j < 8; j += 2) {
        a = _mm256_xor_si256(a, _mm256_load_si256(q + j));
        b = _mm256_xor_si256(b, _mm256_load_si256(q + j + 1));
      }
    }
  a = _mm256_xor_si256(a, b);
  g_sink += static_cast<std::uint64_t>(_mm256_extract_epi64(a, 0));
}

struct Best {
  double value = 0, most = 0;
  std::string how;
};

// Every thread fills and reads its own contiguous part. GB/s of the best shape: its median and its best round.
Best measure_read(const Options& o, std::size_t bytes) {
  const std::size_t part = (bytes / o.threads + kHuge - 1) / kHuge * kHuge, size = part * o.threads + kHuge;
  void* raw = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return {};
  madvise(raw, size, MADV_HUGEPAGE);
  char* base = reinterpret_cast<char*>((reinterpret_cast<std::uintptr_t>(raw) + kHuge - 1) / kHuge * kHuge);
  run_on_all(o, [&](unsigned t) { std::memset(base + t * part, 1, part); });
  const unsigned passes = static_cast<unsigned>(std::max<std::size_t>(1, (std::size_t(768) << 20) / bytes));
  const auto read = has("avx512") && o.avx512 ? read_512 : read_256;
  std::map<std::string, std::vector<double>> found;
  for (unsigned round = 0; round < o.rounds; ++round)
    for (const ReadShape s : kShapes) {
      const double seconds = run_on_all(o, [&](unsigned t) {
        for (unsigned i = 0; i < passes; ++i) read(base + t * part, part, s);
      });
      const std::string how = std::to_string(s.streams) + " streams, prefetch " + std::to_string(s.ahead);
      found[how].push_back(static_cast<double>(part * o.threads) * passes / seconds / 1e9);
    }
  munmap(raw, size);
  Best best;
  for (const auto& [how, values] : found)
    if (median(values) > best.value) best = {median(values), *std::max_element(values.begin(), values.end()), how};
  return best;
}

// ---- Arithmetic. Sixteen independent accumulators: a latency of 4 or 5 cycles on two ports needs ten.

constexpr unsigned kAccumulators = 16;

// A loop of `n` rounds; each round does kAccumulators operations. Returns the multiply-adds of one operation.
TARGET("avx512f,avx512bw,avx512vnni") void int8_vnni(std::uint64_t n) {
  __m512i acc[kAccumulators], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(1);
  for (auto& x : acc) x = _mm512_setzero_si512();
  for (std::uint64_t i = 0; i < n; ++i)
#pragma GCC unroll 16
    for (unsigned k = 0; k < kAccumulators; ++k) acc[k] = _mm512_dpbusd_epi32(acc[k], a, b);
  for (auto& x : acc) FORGET_ZMM(x);
}

// Without VNNI a product of bytes is three instructions: to 16 bits, to 32 bits, added.
TARGET("avx512f,avx512bw") void int8_maddubs_512(std::uint64_t n) {
  __m512i acc[12], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(1), ones = _mm512_set1_epi16(1);
  for (auto& x : acc) x = _mm512_setzero_si512();
  for (std::uint64_t i = 0; i < n; ++i)
#pragma GCC unroll 12
    for (unsigned k = 0; k < 12; ++k) {
      FORGET_ZMM(a);
      acc[k] = _mm512_add_epi32(acc[k], _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), ones));
    }
  for (auto& x : acc) FORGET_ZMM(x);
}

TARGET("avx2") void int8_maddubs_256(std::uint64_t n) {
  __m256i acc[12], a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(1), ones = _mm256_set1_epi16(1);
  for (auto& x : acc) x = _mm256_setzero_si256();
  for (std::uint64_t i = 0; i < n; ++i)
#pragma GCC unroll 12
    for (unsigned k = 0; k < 12; ++k) {
      FORGET(a);
      acc[k] = _mm256_add_epi32(acc[k], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
    }
  for (auto& x : acc) FORGET(x);
}

TARGET("avx512f") void fp32_512(std::uint64_t n) {
  __m512 acc[kAccumulators], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(1e-3f);
  for (auto& x : acc) x = _mm512_setzero_ps();
  for (std::uint64_t i = 0; i < n; ++i)
#pragma GCC unroll 16
    for (unsigned k = 0; k < kAccumulators; ++k) acc[k] = _mm512_fmadd_ps(acc[k], a, b);
  for (auto& x : acc) FORGET_ZMM(x);
}

TARGET("avx2,fma") void fp32_256(std::uint64_t n) {
  __m256 acc[12], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(1e-3f);
  for (auto& x : acc) x = _mm256_setzero_ps();
  for (std::uint64_t i = 0; i < n; ++i)
#pragma GCC unroll 12
    for (unsigned k = 0; k < 12; ++k) acc[k] = _mm256_fmadd_ps(acc[k], a, b);
  for (auto& x : acc) FORGET(x);
}

TARGET("avx512f,avx512bw,avx512bf16") void bf16_512(std::uint64_t n) {
  const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(0.5f));
  __m512 acc[kAccumulators];
  for (auto& x : acc) x = _mm512_setzero_ps();
  for (std::uint64_t i = 0; i < n; ++i)
#pragma GCC unroll 16
    for (unsigned k = 0; k < kAccumulators; ++k) acc[k] = _mm512_dpbf16_ps(acc[k], a, a);
  for (auto& x : acc) FORGET_ZMM(x);
}

struct Peak {
  const char *what, *needs, *how;
  void (*loop)(std::uint64_t);
  unsigned accumulators, macs;  // operations a loop, multiply-adds an operation
};
constexpr Peak kPeaks[] = {
    {"int8", "vnni", "vpdpbusd zmm", int8_vnni, 16, 64},
    {"int8", "avx512", "vpmaddubsw zmm", int8_maddubs_512, 12, 64},
    {"int8", "avx2", "vpmaddubsw ymm", int8_maddubs_256, 12, 32},
    {"fp32", "avx512", "vfmadd zmm", fp32_512, 16, 16},
    {"fp32", "avx2", "vfmadd ymm", fp32_256, 12, 8},
    {"bf16", "bf16", "vdpbf16ps zmm", bf16_512, 16, 32},
};

// 10^9 multiplications and additions a second of the best loop of that name.
Best measure_peak(const Options& o, const std::string& what) {
  Best best;
  for (const Peak& p : kPeaks) {
    if (what != p.what || !has(p.needs) || (!o.avx512 && std::string(p.needs) != "avx2")) continue;
    const std::uint64_t n = 4'000'000;
    std::vector<double> rates;
    for (unsigned round = 0; round < o.rounds; ++round) {
      const double seconds = run_on_all(o, [&](unsigned) { p.loop(n); });
      rates.push_back(2.0 * p.macs * p.accumulators * static_cast<double>(n) * o.threads / seconds / 1e9);
    }
    if (median(rates) > best.value) best = {median(rates), *std::max_element(rates.begin(), rates.end()), p.how};
  }
  return best;
}

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--threads") o.threads = static_cast<unsigned>(std::atoi(value.c_str()));
    if (name == "--rounds") o.rounds = static_cast<unsigned>(std::max(1, std::atoi(value.c_str())));
    if (name == "--only") o.only = "," + value + ",";
    if (name == "--isa") o.avx512 = value.rfind("avx512", 0) == 0;
    if (name == "--cpus") {
      std::istringstream in(value);
      for (std::string cpu; std::getline(in, cpu, ',');) o.cpus.push_back(std::atoi(cpu.c_str()));
    }
  }
  if (o.threads == 0) o.threads = o.cpus.empty() ? 2 : static_cast<unsigned>(o.cpus.size());
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  const Options o = parse(argc, argv);
  if (!has("avx2")) {
    std::fprintf(stderr, "roofline: needs a CPU with AVX2\n");
    return 1;
  }
  std::printf("{\"threads\": %u", o.threads);
  const auto wanted = [&](const std::string& what) {
    return o.only.empty() || o.only.find("," + what + ",") != std::string::npos;
  };
  const auto print = [](const std::string& what, const char* unit, const Best& b) {
    if (b.value > 0)
      std::printf(",\n \"%s\": {\"value\": %.2f, \"most\": %.2f, \"unit\": \"%s\", \"how\": \"%s\"}", what.c_str(),
                  b.value, b.most, unit, b.how.c_str());
  };
  for (const unsigned mb : {96u, 2048u})
    if (wanted("read" + std::to_string(mb)))
      print("read" + std::to_string(mb), "GB/s", measure_read(o, std::size_t(mb) * 1'000'000));
  for (const char* what : {"int8", "fp32", "bf16"})
    if (wanted(what)) print(what, "Gop/s", measure_peak(o, what));
  std::printf("}\n");
  return 0;
}
