#include "machine_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/check.h"
#include "real_calls.h"

namespace stampede::sim {
namespace {

int failed(int error) {
  errno = error;
  return -1;
}

// As a disk with blocks of a sector has it for O_DIRECT.
bool is_aligned(int flags, const void* memory, size_t bytes, off_t offset) {
  if ((flags & O_DIRECT) == 0) return true;
  const auto address = reinterpret_cast<uintptr_t>(memory);
  return (address | bytes | static_cast<uint64_t>(offset)) % kSectorBytes == 0;
}

}  // namespace

MachineFiles::MachineFiles(std::string root, std::function<void(int64_t)> stall)
    : root_(std::move(root)), faults_(std::move(stall)), names_(root_ + ".graves") {
  CHECK(root_.starts_with('/'));
  CHECK(std::filesystem::is_directory(root_));
}

MachineFiles::~MachineFiles() {
  std::filesystem::remove_all(root_ + ".graves");
  std::filesystem::remove_all(root_ + ".copy");
}

bool MachineFiles::owns(std::string_view path) const {
  if (!path.starts_with(root_)) return false;
  return path.size() == root_.size() || path[root_.size()] == '/';
}

// ---- ends and beginnings

void MachineFiles::kill(Random& random) {
  if (has_ended_) return;
  end([&](InFlight& write) {
    // It reaches the disk, but nobody waits until the disk has flushed it.
    is_flushing_ = false;
    write.on_kill(random);
    is_flushing_ = true;
  });
}

void MachineFiles::cut_power(Random& random) {
  if (!has_ended_) end([&](InFlight& write) { write.on_power_cut(random); });
  if (!cut_seed_) cut_seed_ = random.next();
}

void MachineFiles::end(const std::function<void(InFlight&)>& tell) {
  // What these write now is what was under way, not calls that faults wait for.
  faults_.set_paused(true);
  settle_writes();
  for (InFlight* const write : in_flight_) tell(*write);
  faults_.set_paused(false);
  has_ended_ = true;
  names_at_end_ = names_.pending();
}

void MachineFiles::restore() {
  CHECK(has_ended_);
  // Bytes first: while every file has the name that it had when they were written.
  for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) {
    undo->file->put(undo->offset, undo->bytes);
    undo->file->put_size(undo->size);
  }
  undo_.clear();
  names_.take_back(names_at_end_);
  has_ended_ = false;
  if (cut_seed_) lose_what_is_not_durable();
  cut_seed_.reset();
}

void MachineFiles::lose_what_is_not_durable() {
  Random random(*cut_seed_);
  const uint64_t pending = names_.pending();
  const uint64_t kept = random.chance(0.25)   ? 0
                        : random.chance(0.33) ? pending
                                              : random.between(0, pending);
  names_.take_back(kept);
  names_.sync_all();
  names_.for_each([&](StoredFile& file) { file.cut(random); });
}

std::string MachineFiles::directory_of_copy(Copy which) const {
  return root_ + (which == Copy::newest ? ".copy" : ".older");
}

void MachineFiles::save_copy(Copy which) {
  const std::string copy = directory_of_copy(which);
  std::filesystem::remove_all(copy);
  std::filesystem::copy(root_, copy, std::filesystem::copy_options::recursive);
  has_copy_[static_cast<size_t>(which)] = true;
}

void MachineFiles::restore_copy(Copy which) {
  CHECK(has_copy(which));
  CHECK(!has_ended_);
  names_.forget();
  for (const auto& entry : std::filesystem::directory_iterator(root_))
    std::filesystem::remove_all(entry.path());
  std::filesystem::copy(directory_of_copy(which), root_, std::filesystem::copy_options::recursive);
}

// ---- what goes wrong

void MachineFiles::fill_up(int error, uint64_t bytes) {
  full_error_ = error;
  room_bytes_ = bytes;
}

void MachineFiles::heal() {
  faults_.heal();
  full_error_ = 0;
}

void MachineFiles::remove_durably(const std::string& path) {
  CHECK(names_.remove(path) == 0);
  names_.sync_all();
}

// How far the file may reach now, at most to `end`.
uint64_t MachineFiles::take_room(const StoredFile& file, uint64_t end) {
  if (full_error_ == 0 || end <= file.size()) return end;
  const uint64_t taken = std::min(end - file.size(), room_bytes_);
  room_bytes_ -= taken;
  if (file.size() + taken < end) ++times_full_;
  return file.size() + taken;
}

bool MachineFiles::has_room_for_a_name() {
  if (full_error_ == 0 || room_bytes_ > 0) return true;
  ++times_full_;
  return false;
}

// ---- its disks

std::optional<int64_t> MachineFiles::due_ns() const {
  std::optional<int64_t> first;
  for (const InFlight* const write : in_flight_)
    if (const std::optional<int64_t> due = write->due_ns(); due && (!first || *due < *first))
      first = due;
  return first;
}

void MachineFiles::settle_writes() {
  for (InFlight* const write : in_flight_) write->settle();
}

void MachineFiles::stall_writes(int64_t ns) {
  for (InFlight* const write : in_flight_) write->stall(ns);
}

// ---- calls

int MachineFiles::open(const std::string& path, int flags, mode_t mode, OpenFile& opened) {
  const StoredFilePtr file = names_.find(path);
  const bool is_new = !file && (flags & O_CREAT) != 0;
  if (const int error = fault_of_open(path, flags, is_new); error != 0) return failed(error);
  if (file && (flags & O_TRUNC) != 0) before_size(file, 0);
  const int fd = __real_open(path.c_str(), flags & ~(O_DIRECT | O_SYNC), mode);
  if (fd < 0) return fd;
  if (file && (flags & O_TRUNC) != 0) file->note_size(0);
  opened = {.machine = this, .file = file, .path = path, .flags = flags};
  if (is_new) opened.file = names_.note_created(path);
  if (opened.file && (flags & O_ACCMODE) != O_RDONLY) opened.file->open();
  return fd;
}

int MachineFiles::fault_of_open(const std::string& path, int flags, bool is_new) {
  const bool is_directory = (flags & O_DIRECTORY) != 0;
  const FileKind kind = is_directory ? FileKind::directory : kind_of(path);
  if (const Outcome met = faults_.meet(is_new ? Call::create : Call::open, kind); met.error != 0)
    return met.error;
  return is_new && !has_room_for_a_name() ? full_error_ : 0;
}

ssize_t MachineFiles::read(const OpenFile& open, int fd, void* into, size_t bytes, off_t offset) {
  const Outcome met = faults_.meet(Call::read, kind_of(open.path));
  if (met.error != 0) return failed(met.error);
  if (!is_aligned(open.flags, into, bytes, offset)) return failed(EINVAL);
  return __real_pread(fd, into, std::min(bytes, met.bytes), offset);
}

ssize_t MachineFiles::write(const OpenFile& open, const void* from, size_t bytes, off_t offset) {
  if (!open.file || (open.flags & O_ACCMODE) == O_RDONLY) return failed(EBADF);
  if (!is_aligned(open.flags, from, bytes, offset)) return failed(EINVAL);
  const Outcome met = faults_.meet(Call::write, kind_of(open.path));
  const auto at = static_cast<uint64_t>(offset);
  const uint64_t before_error = met.error != 0 && met.bytes == UINT64_MAX ? 0 : met.bytes;
  const uint64_t asked = std::min(bytes, before_error);
  const uint64_t end = take_room(*open.file, at + asked);
  const bool has_room = asked == 0 || end > at;
  if (has_room && asked > 0) put(open, {static_cast<const std::byte*>(from), end - at}, at);
  if (met.error != 0) return failed(met.error);
  return has_room ? static_cast<ssize_t>(end - at) : failed(full_error_);
}

// The write itself. Not through the process's descriptor: a write under way may outlive that.
void MachineFiles::put(const OpenFile& open, std::span<const std::byte> bytes, uint64_t offset) {
  const bool is_durable = (open.flags & O_DSYNC) != 0 && is_flushing_ && !has_ended_;
  if (!is_durable) before_write(open.file, offset, bytes.size());
  open.file->put(offset, bytes);
  open.file->note_written(offset, bytes.size());
  if (!is_durable) return;
  names_.sync_data(*open.file);
  open.file->sync(offset, bytes.size());
}

int MachineFiles::sync(const OpenFile& open, bool is_data_only) {
  const bool is_directory = open.file == nullptr;
  const FileKind kind = is_directory ? FileKind::directory : kind_of(open.path);
  const Outcome met = faults_.meet(is_directory ? Call::sync_directory : Call::sync, kind);
  if (met.error != 0 && !is_directory && !has_ended_) open.file->fail_sync();
  if (met.error != 0) return failed(met.error);
  if (has_ended_) return 0;
  if (is_directory) {
    names_.sync_directory(open.path);
    return 0;
  }
  if (is_data_only)
    names_.sync_data(*open.file);
  else
    names_.sync_file(*open.file);
  open.file->sync();
  return 0;
}

int MachineFiles::set_size(const OpenFile& open, int fd, off_t size) {
  CHECK(open.file != nullptr);
  const Outcome met = faults_.meet(Call::allocate, kind_of(open.path));
  if (met.error != 0) return failed(met.error);
  before_size(open.file, static_cast<uint64_t>(size));
  if (__real_ftruncate(fd, size) != 0) return -1;
  open.file->note_size(static_cast<uint64_t>(size));
  return 0;
}

int MachineFiles::allocate(const OpenFile& open, int fd, int mode, off_t offset, off_t bytes) {
  CHECK(open.file != nullptr);
  CHECK(mode == 0);
  const Outcome met = faults_.meet(Call::allocate, kind_of(open.path));
  if (met.error != 0) return failed(met.error);
  const auto end = static_cast<uint64_t>(offset + bytes);
  if (take_room(*open.file, end) < end) return failed(full_error_);
  before_size(open.file, std::max(end, open.file->size()));
  if (__real_fallocate(fd, mode, offset, bytes) != 0) return -1;
  open.file->note_size(std::max(end, open.file->size()));
  return 0;
}

int MachineFiles::rename(const std::string& from, const std::string& to) {
  CHECK(!std::filesystem::is_directory(from));
  const Outcome met = faults_.meet(Call::rename, kind_of(from));
  const int error = met.error != 0 ? met.error : names_.rename(from, to);
  return error == 0 ? 0 : failed(error);
}

int MachineFiles::remove(const std::string& path) {
  const Outcome met = faults_.meet(Call::remove, kind_of(path));
  const int error = met.error != 0 ? met.error : names_.remove(path);
  return error == 0 ? 0 : failed(error);
}

int MachineFiles::make_directory(const std::string& path, mode_t mode) {
  const Outcome met = faults_.meet(Call::make_directory, FileKind::directory);
  if (met.error != 0) return failed(met.error);
  if (!std::filesystem::exists(path) && !has_room_for_a_name()) return failed(full_error_);
  if (__real_mkdir(path.c_str(), mode) != 0) return -1;
  names_.note_directory(path);
  return 0;
}

int MachineFiles::remove_directory(const std::string& path) {
  const Outcome met = faults_.meet(Call::remove, FileKind::directory);
  const int error = met.error != 0 ? met.error : names_.remove_directory(path);
  return error == 0 ? 0 : failed(error);
}

DIR* MachineFiles::list(const std::string& path) {
  const Outcome met = faults_.meet(Call::list, FileKind::directory);
  if (met.error == 0) return __real_opendir(path.c_str());
  errno = met.error;
  return nullptr;
}

// ---- what is not durable, or comes behind the end

void MachineFiles::before_write(const StoredFilePtr& file, uint64_t offset, uint64_t bytes) {
  if (has_ended_)
    note_undo(file, offset, bytes);
  else
    file->save(offset, bytes);
}

void MachineFiles::before_size(const StoredFilePtr& file, uint64_t size) {
  if (has_ended_)
    note_undo(file, size, file->size() > size ? file->size() - size : 0);
  else
    file->save_for_size(size);
}

void MachineFiles::note_undo(const StoredFilePtr& file, uint64_t offset, uint64_t bytes) {
  undo_.push_back({file, offset, file->read(offset, bytes), file->size()});
}

}  // namespace stampede::sim
