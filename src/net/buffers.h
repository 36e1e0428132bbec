// Memory for bytes on their way in and out, lent to a connection only while it has unparsed input
// or unsent output: an idle connection holds none, so 100,000 of them can wait for a sale without
// the 4 KiB and more that a buffer of its own would cost each.
//
// Chunks come in three fixed sizes, each from a region of addresses that is reserved at start and
// given memory as need grows, 1 MiB at a time, up to a bound. A returned chunk goes on a stack, so
// that the next borrower finds it in the cache, and the memory of those that have lain at its bottom
// for a while goes back to the kernel. No malloc after start, and no way for one size to eat the
// share of another.
//
//   chunk:  | next, capacity, end | bytes ............ |      capacity: 4, 16 or 64 KiB less the
//             16 bytes              0        end   capacity   16 bytes in front
//
// InputBuffer and OutputQueue are plain values inside a connection. They borrow from the pool that
// is handed to each call, always the same one: their shard's. They have no destructor: whoever
// drops a connection clears them first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bounds.h"

namespace stampede::net {

struct Chunk {
  Chunk* next = nullptr;  // in an output queue
  uint32_t capacity = 0;  // bytes after the header; never changes
  uint32_t end = 0;       // bytes filled

  char* data() { return reinterpret_cast<char*>(this + 1); }
  std::span<char> room() { return {data() + end, capacity - end}; }
};
static_assert(sizeof(Chunk) == 16);

enum class ChunkSize : uint8_t { small, medium, large };
constexpr unsigned kChunkSizeCount = 3;
constexpr std::array<size_t, kChunkSizeCount> kChunkBytes = {4 * 1024, 16 * 1024, 64 * 1024};
constexpr size_t chunk_capacity(ChunkSize size) {
  return kChunkBytes[static_cast<unsigned>(size)] - sizeof(Chunk);
}
static_assert(chunk_capacity(ChunkSize::large) >= bounds::request_bytes_max,
              "the largest request lies in one piece");

class BufferPool {
 public:
  using Counts = std::array<uint32_t, kChunkSizeCount>;

  // At most this many chunks of each size. Fatal when not even the addresses can be reserved.
  explicit BufferPool(Counts counts_max = {bounds::chunks_small_max, bounds::chunks_medium_max,
                                           bounds::chunks_large_max});
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // An empty chunk, or nullptr when all of this size are lent or the machine has no more memory.
  [[nodiscard]] Chunk* lend(ChunkSize size);
  void take_back(Chunk* chunk);
  // How many more lend() would find, unless the machine has no more memory.
  size_t lendable(ChunkSize size) const;
  // Whether lend() would find one, unless the machine has no more memory.
  bool can_lend(ChunkSize size) const;
  // Chunks taken back so far: a borrower that found none looks again when this has changed.
  uint64_t returns() const { return returns_; }

  // Gives back the memory of at most `chunks_max` chunks that nobody has borrowed since the last round, and keeps a few of each
  // size. True: there are more, call again. Call it once a second until it returns false; that is a round.
  bool give_back_idle(uint32_t chunks_max);

  // Chunks lent now, of each size.
  const Counts& lent() const { return lent_; }
  // Bytes that have been written and not given back.
  size_t resident_bytes() const;

 private:
  //   begin:  | carved: lent or free | usable | only addresses | : bytes
  //   free:   | released | cold: not lent lately | warm | ◀─ lend() takes from this end
  struct Region {
    char* begin = nullptr;
    size_t bytes = 0;
    size_t usable_bytes = 0;
    size_t carved_bytes = 0;
    std::vector<uint32_t>
        free;                // numbers of chunks; a stack that never grows beyond its first room
    size_t released = 0;     // of `free`, from the bottom: without memory
    size_t fewest_free = 0;  // since give_back_idle() last returned false
  };

  static Chunk* chunk_at(const Region& region, size_t chunk_bytes, uint32_t number) {
    return reinterpret_cast<Chunk*>(region.begin + number * chunk_bytes);
  }
  static Chunk* pop_free(Region& region, size_t chunk_bytes);
  static Chunk* carve(Region& region, size_t chunk_bytes);

  std::array<Region, kChunkSizeCount> regions_;
  Counts lent_{};
  uint64_t returns_ = 0;
};

// The beginning of a request whose end has not come yet, in one piece.
//
//   chunk:  | consumed | kept: read() … | room() … |
class InputBuffer {
 public:
  std::span<const char> kept() const;
  bool empty() const { return kept().empty(); }

  // Where to read more input, at least one byte: what is kept moves to the front, or into a larger
  // chunk, when there is no room behind it. Empty when one request fills a large chunk, or when the
  // pool is empty. After a read that brought nothing, clear() an empty buffer.
  [[nodiscard]] std::span<char> room(BufferPool& pool);
  // That many bytes of room() were filled.
  void extend(size_t bytes);
  // Copies bytes behind what is kept; false, and nothing is lost, when they do not fit or the pool
  // is empty.
  [[nodiscard]] bool append(BufferPool& pool, std::span<const char> bytes);

  // The first bytes of kept() are done with; with the last of them the chunk goes back.
  void consume(BufferPool& pool, size_t bytes);
  void clear(BufferPool& pool);

 private:
  bool ensure_room(BufferPool& pool, size_t bytes);

  Chunk* chunk_ = nullptr;
  uint32_t begin_ = 0;  // of what is kept
};
static_assert(sizeof(InputBuffer) <= 16);

// Answers that wait for the socket, in order.
//
//   front_ → | sent | unsent | → | unsent | → | unsent | room | ← back_
class OutputQueue {
 public:
  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }

  // Copies bytes to the end; false, and nothing changed, when the pool has not enough chunks.
  [[nodiscard]] bool append(BufferPool& pool, std::span<const char> bytes);
  // Room for an answer to be written in place, at least `bytes` in one piece (a medium chunk's
  // capacity at most); empty when the pool is. What is then written counts from extend() on.
  [[nodiscard]] std::span<char> room(BufferPool& pool, size_t bytes);
  void extend(size_t bytes);

  // The oldest unsent bytes in one piece, for one write; empty only when the queue is.
  std::span<const char> front() const;
  // The first bytes have been sent; emptied chunks go back.
  void consume(BufferPool& pool, size_t bytes);
  void clear(BufferPool& pool);

 private:
  bool widen(BufferPool& pool, size_t bytes);
  bool push(BufferPool& pool, size_t bytes);
  void cut_after(BufferPool& pool, Chunk* last, uint32_t end);

  Chunk* front_ = nullptr;
  Chunk* back_ = nullptr;
  uint32_t bytes_ = 0;  // unsent
  uint32_t sent_ = 0;   // of front_
};
static_assert(sizeof(OutputQueue) <= 24);

}  // namespace stampede::net
