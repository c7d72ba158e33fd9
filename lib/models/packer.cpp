#include "packer.hpp"

#include <algorithm>

#include "loquor/core/status.hpp"

namespace lq {

void Packer::poll() const {
  if (options_.cancel && options_.cancel->load(std::memory_order_relaxed))
    fail(Code::cancelled, "model: loading was cancelled");
}

void Packer::pack(const Piece& piece) const {
  piece.run.pack(ctx_, piece.begin, piece.end);
  file_.drop_pages(piece.source);
}

std::vector<Packer::Piece> Packer::cut(std::vector<PanelRun> runs) {
  std::sort(runs.begin(), runs.end(),
            [](const PanelRun& a, const PanelRun& b) { return a.source.data < b.source.data; });
  std::vector<Piece> pieces;
  for (const PanelRun& run : runs) {
    const std::size_t panels = run.panels();
    const std::size_t n = std::clamp<std::size_t>(run.source_bytes() / kPieceBytes, 1, panels);
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t begin = panels * i / n, end = panels * (i + 1) / n;
      pieces.push_back({run, begin, end, run.source_part(begin, end)});
    }
  }
  return pieces;
}

void Packer::round(std::span<const Piece> pieces, std::span<const std::function<void()>> beside) {
  ctx_.pool().parallel_for(beside.size() + pieces.size(), 1, [&](std::size_t begin, std::size_t end, unsigned) {
    try {
      for (std::size_t i = begin; i < end && !failed_.load(std::memory_order_relaxed); ++i) {
        poll();
        if (i < beside.size())
          beside[i]();
        else
          pack(pieces[i - beside.size()]);
      }
    } catch (...) {
      failed_.store(true, std::memory_order_relaxed);
      throw;
    }
  });
}

void Packer::run(std::vector<PanelRun> runs, std::span<const std::function<void()>> beside) {
  const std::vector<Piece> pieces = cut(std::move(runs));
  std::size_t total = 0, done = 0, at = 0;
  for (const Piece& p : pieces) total += p.source.size();
  do {
    const std::size_t first = at, end = done + kRound;
    for (; at < pieces.size() && done < end; ++at) done += pieces[at].source.size();
    round(std::span(pieces).subspan(first, at - first), first == 0 ? beside : std::span<const std::function<void()>>());
    const double fraction = at == pieces.size() ? 1.0 : static_cast<double>(done) / static_cast<double>(total);
    if (options_.progress && !options_.progress(static_cast<float>(fraction)))
      fail(Code::cancelled, "model: loading was stopped by the progress callback");
    poll();
  } while (at < pieces.size());
}

}  // namespace lq
