#include "net/buffers.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/words.h"

namespace stampede::net {
namespace {

constexpr size_t kGrowthBytes = 1024 * 1024;
static_assert(kGrowthBytes % kChunkBytes.back() == 0, "growth is whole chunks of every size");

constexpr uint32_t kFree = UINT32_MAX;  // as `end`: the chunk is not lent

// Idle memory of each size that is kept: a wave of 256 small requests costs no page fault.
constexpr size_t kIdleBytesKept = 1024 * 1024;

constexpr unsigned index_of(ChunkSize size) {
  return static_cast<unsigned>(size);
}

ChunkSize size_of(const Chunk& chunk) {
  for (const ChunkSize size : {ChunkSize::small, ChunkSize::medium, ChunkSize::large})
    if (chunk.capacity == chunk_capacity(size)) return size;
  CHECK(false);
}

}  // namespace

// --- BufferPool ---

// Without access rights the addresses cost nothing and count against no limit of committed memory.
BufferPool::BufferPool(Counts counts_max) {
  for (unsigned i = 0; i < kChunkSizeCount; ++i) {
    const size_t wanted = counts_max[i] * kChunkBytes[i];
    if (wanted == 0) continue;
    void* begin = ::mmap(nullptr, wanted, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (begin == MAP_FAILED)
      fatal(kExitFailure, "cannot reserve %s of addresses for buffers: %s",
            size_text(wanted).c_str(), std::strerror(errno));
    regions_[i].begin = static_cast<char*>(begin);
    regions_[i].bytes = wanted;
    regions_[i].free.reserve(counts_max[i]);
  }
}

BufferPool::~BufferPool() {
  for (const Region& region : regions_)
    if (region.begin) ::munmap(region.begin, region.bytes);
}

Chunk* BufferPool::lend(ChunkSize size) {
  Region& region = regions_[index_of(size)];
  const size_t chunk_bytes = kChunkBytes[index_of(size)];
  Chunk* chunk = region.free.empty() ? carve(region, chunk_bytes) : pop_free(region, chunk_bytes);
  if (!chunk) return nullptr;
  chunk->next = nullptr;
  chunk->end = 0;
  ++lent_[index_of(size)];
  return chunk;
}

Chunk* BufferPool::pop_free(Region& region, size_t chunk_bytes) {
  Chunk* const chunk = chunk_at(region, chunk_bytes, region.free.back());
  region.free.pop_back();
  region.fewest_free = std::min(region.fewest_free, region.free.size());
  if (region.free.size() < region.released) {
    region.released = region.free.size();
    new (chunk) Chunk;  // its bytes are zero: the memory had been given back
    chunk->capacity = static_cast<uint32_t>(chunk_bytes - sizeof(Chunk));
  } else {
    CHECK(chunk->end == kFree);
  }
  return chunk;
}

bool BufferPool::can_lend(ChunkSize size) const {
  const Region& region = regions_[index_of(size)];
  return !region.free.empty() || region.carved_bytes < region.bytes;
}

size_t BufferPool::lendable(ChunkSize size) const {
  const Region& region = regions_[index_of(size)];
  return region.free.size() + (region.bytes - region.carved_bytes) / kChunkBytes[index_of(size)];
}

Chunk* BufferPool::carve(Region& region, size_t chunk_bytes) {
  if (region.carved_bytes == region.usable_bytes) {
    const size_t growth = std::min(kGrowthBytes, region.bytes - region.usable_bytes);
    if (growth == 0) return nullptr;
    if (::mprotect(region.begin + region.usable_bytes, growth, PROT_READ | PROT_WRITE) < 0) {
      CHECK(errno == ENOMEM);
      return nullptr;
    }
    region.usable_bytes += growth;
  }
  Chunk* chunk = new (region.begin + region.carved_bytes) Chunk;
  chunk->capacity = static_cast<uint32_t>(chunk_bytes - sizeof(Chunk));
  region.carved_bytes += chunk_bytes;
  return chunk;
}

void BufferPool::take_back(Chunk* chunk) {
  CHECK(chunk->end != kFree);
  const unsigned size = index_of(size_of(*chunk));
  Region& region = regions_[size];
  CHECK(reinterpret_cast<char*>(chunk) >= region.begin);
  CHECK(reinterpret_cast<char*>(chunk) < region.begin + region.carved_bytes);
  CHECK(lent_[size] > 0);
  chunk->end = kFree;
  const size_t offset = static_cast<size_t>(reinterpret_cast<char*>(chunk) - region.begin);
  region.free.push_back(static_cast<uint32_t>(offset / kChunkBytes[size]));
  CHECK(region.free.size() <= region.carved_bytes / kChunkBytes[size]);
  --lent_[size];
  ++returns_;
}

// What lay at the bottom of the stack all the time was not needed. Warm chunks stay: giving back what
// the next turn borrows would cost it a page fault for each.
bool BufferPool::give_back_idle(uint32_t chunks_max) {
  static const size_t page_bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  for (unsigned i = 0; i < kChunkSizeCount; ++i) {
    Region& region = regions_[i];
    const size_t kept = kIdleBytesKept / kChunkBytes[i];
    if (kChunkBytes[i] % page_bytes != 0) continue;  // a chunk shares its page with others
    for (; region.released + kept < region.fewest_free; ++region.released) {
      if (chunks_max-- == 0) return true;
      Chunk* const chunk = chunk_at(region, kChunkBytes[i], region.free[region.released]);
      CHECK(chunk->end == kFree);
      CHECK(::madvise(chunk, kChunkBytes[i], MADV_DONTNEED) == 0);
    }
  }
  for (Region& region : regions_) region.fewest_free = region.free.size();
  return false;
}

size_t BufferPool::resident_bytes() const {
  size_t bytes = 0;
  for (unsigned i = 0; i < kChunkSizeCount; ++i)
    bytes += regions_[i].carved_bytes - regions_[i].released * kChunkBytes[i];
  return bytes;
}

// --- InputBuffer ---

std::span<const char> InputBuffer::kept() const {
  if (!chunk_) return {};
  return {chunk_->data() + begin_, chunk_->end - begin_};
}

std::span<char> InputBuffer::room(BufferPool& pool) {
  if (!ensure_room(pool, 1)) return {};
  return chunk_->room();
}

void InputBuffer::extend(size_t bytes) {
  CHECK(bytes <= chunk_->room().size());
  chunk_->end += static_cast<uint32_t>(bytes);
}

bool InputBuffer::append(BufferPool& pool, std::span<const char> bytes) {
  if (bytes.empty()) return true;
  if (!ensure_room(pool, bytes.size())) return false;
  std::memcpy(chunk_->room().data(), bytes.data(), bytes.size());
  extend(bytes.size());
  return true;
}

// Moves to the front first: most of what is kept is a request's head of some hundred bytes behind
// consumed ones.
bool InputBuffer::ensure_room(BufferPool& pool, size_t bytes) {
  if (chunk_ && chunk_->room().size() >= bytes) return true;
  const std::span<const char> old = kept();
  const size_t needed = old.size() + bytes;
  if (chunk_ && needed <= chunk_->capacity) {
    std::memmove(chunk_->data(), old.data(), old.size());
    chunk_->end = static_cast<uint32_t>(old.size());
    begin_ = 0;
    return true;
  }
  for (const ChunkSize size : {ChunkSize::small, ChunkSize::medium, ChunkSize::large}) {
    if (chunk_capacity(size) < needed) continue;
    Chunk* wider = pool.lend(size);
    if (!wider) continue;  // a larger one will do
    std::copy(old.begin(), old.end(), wider->data());
    wider->end = static_cast<uint32_t>(old.size());
    clear(pool);
    chunk_ = wider;
    return true;
  }
  return false;
}

void InputBuffer::consume(BufferPool& pool, size_t bytes) {
  CHECK(bytes <= kept().size());
  begin_ += static_cast<uint32_t>(bytes);
  if (empty()) clear(pool);
}

void InputBuffer::clear(BufferPool& pool) {
  if (chunk_) pool.take_back(chunk_);
  *this = {};
}

// --- OutputQueue ---

bool OutputQueue::append(BufferPool& pool, std::span<const char> bytes) {
  CHECK(bytes.size() <= UINT32_MAX - bytes_);
  if (bytes.empty()) return true;
  if (back_ && back_->room().size() < bytes.size()) widen(pool, bytes.size());
  Chunk* const last = back_;
  const uint32_t end = last ? last->end : 0;
  for (size_t copied = 0; copied < bytes.size();) {
    if ((!back_ || back_->room().empty()) && !push(pool, bytes.size() - copied)) {
      cut_after(pool, last, end);  // half an answer would make nonsense of all that follow
      return false;
    }
    const size_t step = std::min(back_->room().size(), bytes.size() - copied);
    std::memcpy(back_->room().data(), bytes.data() + copied, step);
    back_->end += static_cast<uint32_t>(step);
    copied += step;
  }
  bytes_ += static_cast<uint32_t>(bytes.size());
  return true;
}

std::span<char> OutputQueue::room(BufferPool& pool, size_t bytes) {
  CHECK(bytes <= chunk_capacity(ChunkSize::medium));
  if (back_ && back_->room().size() >= bytes) return back_->room();
  if (!widen(pool, bytes) && !push(pool, bytes)) return {};
  return back_->room();
}

void OutputQueue::extend(size_t bytes) {
  CHECK(bytes <= back_->room().size());
  CHECK(bytes <= UINT32_MAX - bytes_);
  back_->end += static_cast<uint32_t>(bytes);
  bytes_ += static_cast<uint32_t>(bytes);
}

// 16 pipelined answers are some 7 KiB: copying 4 KiB into a medium chunk costs 0.1 µs, sending them
// with a second write 1.5 µs. So an only, small chunk is replaced rather than followed, where that
// is enough.
bool OutputQueue::widen(BufferPool& pool, size_t bytes) {
  const bool is_one_small = front_ && front_ == back_ && size_of(*front_) == ChunkSize::small;
  if (!is_one_small) return false;
  const std::span<const char> unsent = front();
  if (unsent.size() + bytes > chunk_capacity(ChunkSize::medium)) return false;
  Chunk* wider = pool.lend(ChunkSize::medium);
  if (!wider) return false;
  std::copy(unsent.begin(), unsent.end(), wider->data());
  wider->end = static_cast<uint32_t>(unsent.size());
  pool.take_back(front_);
  front_ = back_ = wider;
  sent_ = 0;
  return true;
}

// A new last chunk. The first one is small if that is enough; who needs a second one will need
// more.
bool OutputQueue::push(BufferPool& pool, size_t bytes) {
  const bool is_small = !front_ && bytes <= chunk_capacity(ChunkSize::small);
  Chunk* chunk = pool.lend(is_small ? ChunkSize::small : ChunkSize::medium);
  if (!chunk) return false;
  (back_ ? back_->next : front_) = chunk;
  back_ = chunk;
  return true;
}

// Takes back what an append() that failed has added.
void OutputQueue::cut_after(BufferPool& pool, Chunk* last, uint32_t end) {
  Chunk* added = last ? std::exchange(last->next, nullptr) : std::exchange(front_, nullptr);
  while (added) pool.take_back(std::exchange(added, added->next));
  if (last) last->end = end;
  back_ = last;
}

std::span<const char> OutputQueue::front() const {
  if (!front_) return {};
  return {front_->data() + sent_, front_->end - sent_};
}

void OutputQueue::consume(BufferPool& pool, size_t bytes) {
  CHECK(bytes <= bytes_);
  bytes_ -= static_cast<uint32_t>(bytes);
  if (bytes_ == 0) return clear(pool);
  while (bytes >= front().size()) {
    bytes -= front().size();
    pool.take_back(std::exchange(front_, front_->next));
    sent_ = 0;
  }
  sent_ += static_cast<uint32_t>(bytes);
}

void OutputQueue::clear(BufferPool& pool) {
  while (front_) pool.take_back(std::exchange(front_, front_->next));
  *this = {};
}

}  // namespace stampede::net
