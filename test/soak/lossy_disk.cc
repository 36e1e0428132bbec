#define FUSE_USE_VERSION 31
#include "lossy_disk.h"

#include <fuse3/fuse.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "report.h"

namespace stampede::soak {
namespace {

constexpr char kName[] = "/disk";
constexpr uint64_t kPage =
    4096;  // the first has the file system's superblock, which is written as one

LossyDisk& disk() {
  return *static_cast<LossyDisk*>(fuse_get_context()->private_data);
}

int get_attributes(const char* path, struct stat* attributes, fuse_file_info*) {
  *attributes = {};
  if (std::strcmp(path, "/") == 0) {
    attributes->st_mode = S_IFDIR | 0700;
    attributes->st_nlink = 2;
    return 0;
  }
  if (std::strcmp(path, kName) != 0) return -ENOENT;
  attributes->st_mode = S_IFREG | 0600;
  attributes->st_nlink = 1;
  attributes->st_size = static_cast<off_t>(disk().size());
  return 0;
}

// Nothing of the file in the kernel's cache: after a cut it would be wrong.
int open_file(const char* path, fuse_file_info* file) {
  if (std::strcmp(path, kName) != 0) return -ENOENT;
  file->direct_io = 1;
  return 0;
}

int read_file(const char*, char* bytes, size_t size, off_t offset, fuse_file_info*) {
  return disk().read(bytes, size, static_cast<uint64_t>(offset));
}

int write_file(const char*, const char* bytes, size_t size, off_t offset, fuse_file_info*) {
  return disk().write(bytes, size, static_cast<uint64_t>(offset));
}

int flush_file(const char*, int, fuse_file_info*) {
  return disk().flush();
}

constexpr fuse_operations operations() {
  fuse_operations all{};
  all.getattr = get_attributes;
  all.open = open_file;
  all.read = read_file;
  all.write = write_file;
  all.fsync = flush_file;
  return all;
}
constexpr fuse_operations kOperations = operations();

}  // namespace

LossyDisk::LossyDisk(const MemoryFile& image) {
  durable_.copy(image);
  current_.copy(image);
  const std::string directory = scratch_.path("fuse");
  mkdir(directory.c_str(), 0700);
  char name[] = "soak";
  char* arguments[] = {name, nullptr};
  fuse_args args = FUSE_ARGS_INIT(1, arguments);
  fuse_ = fuse_new(&args, &kOperations, sizeof kOperations, this);
  if (fuse_ == nullptr) throw Broken("no FUSE");
  if (fuse_mount(fuse_, directory.c_str()) != 0) {
    fuse_destroy(fuse_);
    throw Broken("no FUSE mount");
  }
  thread_ = std::thread([this] { fuse_loop(fuse_); });
}

LossyDisk::~LossyDisk() {
  resume();
  fuse_exit(fuse_);
  fuse_unmount(fuse_);
  thread_.join();
  fuse_destroy(fuse_);
}

int LossyDisk::read(char* bytes, size_t size, uint64_t offset) {
  std::unique_lock lock(mutex_);
  is_resumed_.wait(lock, [this] { return !is_stalled_; });
  if (is_cut_) return -EIO;
  size = std::min<uint64_t>(size, kBytes - std::min<uint64_t>(offset, kBytes));
  current_.read(bytes, size, offset);
  return static_cast<int>(size);
}

int LossyDisk::write(const char* bytes, size_t size, uint64_t offset) {
  std::unique_lock lock(mutex_);
  is_resumed_.wait(lock, [this] { return !is_stalled_; });
  if (is_cut_ || fails_ || offset + size > kBytes) return -EIO;
  current_.write(bytes, size, offset);
  unflushed_.push_back({.offset = offset, .bytes = {bytes, bytes + size}});
  return static_cast<int>(size);
}

int LossyDisk::flush() {
  std::unique_lock lock(mutex_);
  is_resumed_.wait(lock, [this] { return !is_stalled_; });
  if (is_cut_ || fails_) return -EIO;
  for (const Write& write : unflushed_)
    durable_.write(write.bytes.data(), write.bytes.size(), write.offset);
  unflushed_.clear();
  return 0;
}

void LossyDisk::cut() {
  const std::lock_guard lock(mutex_);
  is_cut_ = true;
  is_stalled_ = false;
  is_resumed_.notify_all();
}

void LossyDisk::keep_or_lose(const Write& write, uint64_t block, double chance_to_stay,
                             Dice& dice) {
  for (uint64_t at = 0; at < write.bytes.size();) {
    const uint64_t unit = write.offset + at < kPage ? kPage : block;
    const uint64_t size = std::min<uint64_t>(unit, write.bytes.size() - at);
    if (dice.chance(chance_to_stay))
      durable_.write(write.bytes.data() + at, size, write.offset + at);
    else
      ++lost_blocks_;
    at += size;
  }
}

void LossyDisk::restore(Dice& dice) {
  const std::lock_guard lock(mutex_);
  if (is_cut_) lose(dice);
  is_cut_ = fails_ = false;
}

void LossyDisk::lose(Dice& dice) {
  const double chance_to_stay = dice.pick({0.0, 0.1, 0.5, 0.9, 1.0});
  const uint64_t block = dice.one_in(2) ? 512 : kPage;
  for (const Write& write : unflushed_) keep_or_lose(write, block, chance_to_stay, dice);
  for (Write& write : unflushed_) {
    durable_.read(write.bytes.data(), write.bytes.size(), write.offset);
    current_.write(write.bytes.data(), write.bytes.size(), write.offset);
  }
  unflushed_.clear();
}

void LossyDisk::fail() {
  const std::lock_guard lock(mutex_);
  fails_ = true;
}

void LossyDisk::mend() {
  const std::lock_guard lock(mutex_);
  fails_ = false;
}

void LossyDisk::stall() {
  const std::lock_guard lock(mutex_);
  is_stalled_ = true;
}

void LossyDisk::resume() {
  const std::lock_guard lock(mutex_);
  is_stalled_ = false;
  is_resumed_.notify_all();
}

}  // namespace stampede::soak
