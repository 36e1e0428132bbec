// Reads one HTTP answer at the beginning of the bytes that a connection has received: enough of it to know
// how the order went. Not a general client: it reads the answers of `stampede serve` (Content-Length
// always, never chunked) and calls everything else malformed. It looks for names in the JSON with
// memmem instead of parsing it: about 100 ns an answer, because a generator must outrun the server
// that it measures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stampede::load {

constexpr size_t kHeadBytesMax = 8 * 1024;
constexpr size_t kBodyBytesMax = 64 * 1024;
constexpr size_t kAnswerBytesMax = kHeadBytesMax + kBodyBytesMax;

struct Reply {
  unsigned status = 0;
  std::string_view code;   // of a refusal; points into the scanned bytes
  uint64_t order_id = 0;   // 0: none
  std::string_view state;  // of the order; empty: none
  int64_t amount = 0;
  std::string_view currency;
  uint32_t retry_after_ms = 0;
  bool is_retryable = false;
  bool is_replayed = false;
  bool closes = false;  // the server ends the connection after this answer
};

struct Scan {
  enum class Result : uint8_t { complete, need_more, malformed };
  Result result = Result::need_more;
  size_t bytes = 0;  // of the complete answer
  Reply reply;
};

// Pure; stateless: with need_more, call again with the same bytes and more behind them.
[[nodiscard]] Scan scan_answer(std::string_view bytes);

}  // namespace stampede::load
