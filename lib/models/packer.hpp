// Packs the weights of a whole model on all threads: runs from any number of matrices, in the order in which they lie
// in the file, so that a file which is not in memory yet is read once and forwards. Private to lib/models.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <vector>

#include "loquor/formats/gguf.hpp"
#include "loquor/models/load_options.hpp"

namespace lq {

class Packer {
 public:
  Packer(const Context& ctx, const GgufFile& file, const LoadOptions& options)
      : ctx_(ctx), file_(file), options_(options) {}

  // Packs all runs, and calls each of `beside` once, on one thread each, at the same time. Gives back each part of the
  // file once it is packed. Progress is reported on the calling thread. If anything throws, the rest is left out and
  // the error is rethrown: also Error{cancelled}.
  void run(std::vector<PanelRun> runs, std::span<const std::function<void()>> beside);

 private:
  // What one thread packs at a time: large enough to be worth the hand-off, small beside what is kept of the file.
  static constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
  // Between rounds all threads wait for each other and progress is reported.
  static constexpr std::size_t kRound = std::size_t{32} << 20;

  struct Piece {
    PanelRun run;
    std::size_t begin, end;             // panels
    std::span<const std::byte> source;  // their bytes in the file
  };

  void poll() const;
  void pack(const Piece& piece) const;
  void round(std::span<const Piece> pieces, std::span<const std::function<void()>> beside);
  static std::vector<Piece> cut(std::vector<PanelRun> runs);

  const Context& ctx_;
  const GgufFile& file_;
  const LoadOptions& options_;
  std::atomic<bool> failed_{false};
};

}  // namespace lq
