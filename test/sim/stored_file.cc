#include "stored_file.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "real_calls.h"

namespace stampede::sim {
namespace {

uint64_t sector_of(uint64_t offset) {
  return offset / kSectorBytes;
}

// The first sector at or behind the offset.
uint64_t sectors_up_to(uint64_t offset) {
  return (offset + kSectorBytes - 1) / kSectorBytes;
}

}  // namespace

// What a power cut leaves of a file.
struct StoredFile::Fate {
  enum class Kind : uint8_t { as_before, as_now, mixed };
  Kind kind;
  uint64_t size;
  uint64_t new_of_16;  // mixed: so many of 16 sectors are as they are now

  bool is_new(Random& random) const {
    if (kind == Kind::mixed) return random.below(16) < new_of_16;
    return kind == Kind::as_now;
  }
};

void StoredFile::save(uint64_t offset, uint64_t bytes) {
  const uint64_t first = sector_of(offset);
  const uint64_t last = sectors_up_to(std::min(offset + bytes, durable_size_));
  // Dirty again, and what is on the disk is known.
  while (!lost_.empty()) {
    const auto lost = lost_.lower_bound(first);
    if (lost == lost_.end() || lost->first >= sectors_up_to(offset + bytes)) break;
    saved_.insert(lost_.extract(lost));
  }
  if (first >= last) return;
  std::vector<std::byte> before = read(first * kSectorBytes, (last - first) * kSectorBytes);
  before.resize((last - first) * kSectorBytes);
  for (uint64_t sector = first; sector < last; ++sector) {
    const auto [place, is_first] = saved_.try_emplace(sector);
    const auto from = before.begin() + static_cast<ptrdiff_t>((sector - first) * kSectorBytes);
    if (is_first) std::copy_n(from, kSectorBytes, place->second.begin());
  }
}

void StoredFile::save_for_size(uint64_t size) {
  if (size < size_) save(size, size_ - size);
}

void StoredFile::sync() {
  saved_.clear();
  durable_size_ = size_;
}

void StoredFile::fail_sync() {
  for (uint64_t sector = sectors_up_to(durable_size_); sector < sectors_up_to(size_); ++sector)
    saved_.try_emplace(sector);
  lost_.merge(saved_);
  saved_.clear();
}

void StoredFile::sync(uint64_t offset, uint64_t bytes) {
  const uint64_t first = sector_of(offset), last = sectors_up_to(offset + bytes);
  for (Sectors* const sectors : {&saved_, &lost_})
    sectors->erase(sectors->lower_bound(first), sectors->lower_bound(last));
  // The size goes with it, but not what was written elsewhere: there the disk still has zeros.
  for (uint64_t sector = sectors_up_to(durable_size_); sector < sectors_up_to(size_); ++sector)
    if (sector < first || sector >= last) saved_.try_emplace(sector);
  saved_.erase(saved_.lower_bound(sectors_up_to(size_)), saved_.end());
  durable_size_ = size_;
}

StoredFile::Fate StoredFile::decide(Random& random) const {
  const uint64_t kind = random.below(4);
  if (kind == 0) return {Fate::Kind::as_before, durable_size_, 0};
  if (kind == 1) return {Fate::Kind::as_now, size_, 16};
  uint64_t size = random.chance(0.5) ? size_ : durable_size_;
  if (random.chance(0.5))
    size = random.between(std::min(size_, durable_size_), std::max(size_, durable_size_));
  return {Fate::Kind::mixed, size, random.below(17)};
}

void StoredFile::cut(Random& random) {
  if (is_durable()) return;
  saved_.merge(lost_);
  lost_.clear();
  const Fate fate = decide(random);
  const uint64_t appended_from = sectors_up_to(durable_size_);
  const uint64_t appended_to = sectors_up_to(std::min(size_, fate.size));
  put_size(fate.size);
  for (const auto& [sector, bytes] : saved_)
    if (!fate.is_new(random)) put_sector(sector, bytes, fate.size);
  for (uint64_t sector = appended_from; sector < appended_to; ++sector)
    if (!fate.is_new(random)) put_sector(sector, Sector{}, fate.size);
  sync();
}

void StoredFile::put_sector(uint64_t sector, const Sector& bytes, uint64_t end) {
  const uint64_t offset = sector * kSectorBytes;
  if (offset < end) put(offset, std::span(bytes).first(std::min(kSectorBytes, end - offset)));
}

std::vector<std::byte> StoredFile::read(uint64_t offset, uint64_t bytes) {
  std::vector<std::byte> read(bytes);
  const ssize_t got = __real_pread(fd(), read.data(), bytes, static_cast<off_t>(offset));
  CHECK(got >= 0);
  read.resize(static_cast<size_t>(got));
  return read;
}

void StoredFile::put(uint64_t offset, std::span<const std::byte> bytes) {
  const auto size = static_cast<ssize_t>(bytes.size());
  CHECK(__real_pwrite(fd(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) == size);
}

void StoredFile::put_size(uint64_t size) {
  CHECK(__real_ftruncate(fd(), static_cast<off_t>(size)) == 0);
  size_ = size;
}

int StoredFile::fd() {
  if (!file_.is_open()) file_ = orderlog::File(__real_open(path_.c_str(), O_RDWR | O_CLOEXEC));
  CHECK(file_.is_open());
  return file_.fd();
}

}  // namespace stampede::sim
