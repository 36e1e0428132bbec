#include "orderlog/segments.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>

#include "base/check.h"
#include "base/diag.h"
#include "base/thread.h"

namespace stampede::orderlog {
namespace {

// 0 or errno.
int fill_segment(int fd, size_t bytes) {
  // First, so that a full disk is known before anything is written.
  if (::fallocate(fd, 0, 0, static_cast<off_t>(bytes)) != 0 && errno != EOPNOTSUPP) return errno;
  if (const int error = write_zeros(fd, 0, bytes); error != 0) return error;
  return ::fdatasync(fd) != 0 ? errno : 0;
}

}  // namespace

int ZeroedSegmentMaker::make(const std::string& path, size_t bytes) {
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  // O_DIRECT keeps 64 MiB of zeros out of the page cache.
  int fd = ::open(path.c_str(), flags | O_DIRECT, 0600);
  if (fd < 0 && errno == EINVAL) fd = ::open(path.c_str(), flags, 0600);
  if (fd < 0) return errno;
  const int error = fill_segment(fd, bytes);
  ::close(fd);
  if (error != 0) ::unlink(path.c_str());
  return error;
}

StreamSegments::StreamSegments(SegmentKeeper& keeper, const StreamFiles& files, uint32_t current,
                               uint32_t closed_below)
    : keeper_(keeper),
      files_(files),
      prepared_(current - 1),
      taken_(current - 1),
      closed_(current - 1),
      oldest_(current),
      reported_(closed_below - 1) {
  CHECK(current > 0);
  CHECK(closed_below > 0);
  CHECK(closed_below <= current);
}

std::optional<int> StreamSegments::take(uint32_t segment) {
  CHECK(segment == taken_.load(std::memory_order_relaxed) + 1);
  if (prepared_.load(std::memory_order_acquire) < segment) return std::nullopt;
  const int fd = descriptors_[segment % descriptors_.size()];
  taken_.store(segment, std::memory_order_release);
  keeper_.wake();
  return fd;
}

uint32_t StreamSegments::ready_count() const {
  // In this order: both only grow, so the difference is never negative.
  const uint32_t taken = taken_.load(std::memory_order_acquire);
  return prepared_.load(std::memory_order_acquire) - taken;
}

void StreamSegments::close(uint32_t segment) {
  CHECK(segment == closed_.load(std::memory_order_relaxed) + 1);
  CHECK(segment <= taken_.load(std::memory_order_relaxed));
  closed_.store(segment, std::memory_order_release);
  keeper_.wake();
}

void StreamSegments::release_below(uint32_t segment) {
  uint32_t before = released_.load(std::memory_order_relaxed);
  while (before < segment &&
         !released_.compare_exchange_weak(before, segment, std::memory_order_release)) {
  }
  keeper_.wake();
}

SegmentKeeper::SegmentKeeper(int open_flags, SegmentMaker& maker, SegmentListener* listener)
    : open_flags_(open_flags), maker_(maker), listener_(listener) {}

SegmentKeeper::~SegmentKeeper() {
  stop();
}

StreamSegments& SegmentKeeper::add(const StreamFiles& files, uint32_t current,
                                   uint32_t closed_below) {
  CHECK(!preparer_.joinable());
  streams_.emplace_back(new StreamSegments(*this, files, current, closed_below));
  return *streams_.back();
}

Status SegmentKeeper::open() {
  for (const auto& stream : streams_) {
    if (Status adopted = adopt_files(*stream); !adopted) return adopted;
    if (stream->ready_count() == 0)
      if (Status made = prepare(*stream); !made) return made;
    if (stream->ready_count() == 1) note(*stream, prepare(*stream));
  }
  return Ok{};
}

Status SegmentKeeper::start() {
  if (Status opened = open(); !opened) return opened;
  go_on();
  return Ok{};
}

void SegmentKeeper::go_on() {
  preparer_ = start_helper("preparing log segments", &SegmentKeeper::run_preparation);
  reporter_ = start_helper("reporting on log segments", &SegmentKeeper::run_reporting);
}

std::thread SegmentKeeper::start_helper(const char* purpose, void (SegmentKeeper::*work)()) {
  {
    const std::lock_guard lock(mutex_);
    threads_ += 1;
  }
  return start_thread(purpose, [this, work] {
    (this->*work)();
    const std::lock_guard lock(mutex_);
    threads_ -= 1;
    work_.notify_all();
  });
}

bool SegmentKeeper::end_within(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  is_stopping_ = true;
  work_.notify_all();
  return work_.wait_for(lock, patience, [&] { return threads_ == 0; });
}

void SegmentKeeper::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  work_.notify_all();
  if (preparer_.joinable()) preparer_.join();
  if (reporter_.joinable()) reporter_.join();
  for (const auto& stream : streams_)
    while (stream->ready_count() > 0)
      ::close(*stream->take(stream->taken_.load(std::memory_order_relaxed) + 1));
}

std::string SegmentKeeper::problem() const {
  const std::lock_guard lock(mutex_);
  for (const auto& stream : streams_)
    if (!stream->problem_.empty()) return stream->problem_;
  return {};
}

void SegmentKeeper::wake() {
  {
    const std::lock_guard lock(mutex_);
    wakes_ += 1;
  }
  work_.notify_all();
}

// Takes over the files of an earlier life: unfinished ones are removed, the current one and those behind it are ready.
Status SegmentKeeper::adopt_files(StreamSegments& stream) {
  const StreamFiles& files = stream.files_;
  const Result<std::vector<std::string>> names = list_directory(files.dir);
  if (!names) return names.error();
  for (const std::string& name : *names)
    if (name.ends_with(kUnfinished)) ::unlink((files.dir + "/" + name).c_str());

  const Result<SegmentList> list = list_segments(files);
  if (!list) return list.error();
  if (!list->misfit.empty()) return Error{list->misfit};
  if (!list->segments.empty()) stream.oldest_ = list->segments.front();
  for (const uint32_t segment : list->segments) {
    const uint32_t next = stream.prepared_.load(std::memory_order_relaxed) + 1;
    if (segment != next || stream.ready_count() == bounds::segments_ready_max) continue;
    if (Status published = publish(stream, segment); !published) return published;
  }
  return Ok{};
}

Status SegmentKeeper::prepare(StreamSegments& stream) {
  const uint32_t segment = stream.prepared_.load(std::memory_order_relaxed) + 1;
  const std::string path = stream.files_.segment_path(segment);
  const std::string unfinished = path + std::string(kUnfinished);
  if (const int error = maker_.make(unfinished, stream.files_.segment_bytes); error != 0)
    return errno_error("prepare " + path, error);
  if (Status renamed = rename_durably(unfinished, path); !renamed) return renamed;
  return publish(stream, segment);
}

Status SegmentKeeper::reuse_oldest(StreamSegments& stream) {
  const std::string oldest = stream.files_.segment_path(stream.oldest_);
  const uint32_t segment = stream.prepared_.load(std::memory_order_relaxed) + 1;
  if (stream.ready_count() == bounds::segments_ready_max) {
    if (::unlink(oldest.c_str()) != 0 && errno != ENOENT)
      return errno_error("remove " + oldest, errno);
    stream.oldest_ += 1;
    return Ok{};
  }
  if (::access(oldest.c_str(), F_OK) != 0 && errno == ENOENT) {
    stream.oldest_ += 1;
    return Ok{};
  }
  const std::string path = stream.files_.segment_path(segment);
  if (Status renamed = rename_durably(oldest, path); !renamed) return renamed;
  stream.oldest_ += 1;
  return publish(stream, segment);
}

Status SegmentKeeper::publish(StreamSegments& stream, uint32_t segment) {
  const std::string path = stream.files_.segment_path(segment);
  const int fd = ::open(path.c_str(), open_flags_);
  if (fd < 0) return errno_error("open " + path, errno);
  stream.descriptors_[segment % stream.descriptors_.size()] = fd;
  stream.prepared_.store(segment, std::memory_order_release);
  return Ok{};
}

SegmentKeeper::Step SegmentKeeper::step(StreamSegments& stream) {
  // Acquire: the thread that released or closed a segment is done with its file.
  const uint32_t reusable = std::min(stream.released_.load(std::memory_order_acquire),
                                     stream.closed_.load(std::memory_order_acquire) + 1);
  const bool has_reusable = stream.oldest_ < reusable;
  if (!has_reusable && stream.ready_count() >= bounds::segments_ready_min) return Step::idle;
  const Status status = has_reusable ? reuse_oldest(stream) : prepare(stream);
  note(stream, status);
  return status ? Step::done : Step::failed;
}

SegmentKeeper::Step SegmentKeeper::prepare_some() {
  Step result = Step::idle;
  for (const auto& stream : streams_) result = std::max(result, step(*stream));
  return result;
}

// Logs a problem once, and its end once.
void SegmentKeeper::note(StreamSegments& stream, const Status& status) {
  const std::string problem = status ? "" : status.error().message;
  std::string before;
  {
    const std::lock_guard lock(mutex_);
    before = std::exchange(stream.problem_, problem);
  }
  if (before.empty() && !problem.empty())
    diag::warning("order log: %s; new orders will be refused while no segment is ready",
                  problem.c_str());
  if (!before.empty() && problem.empty()) diag::notice("order log: segments can be prepared again");
}

void SegmentKeeper::run_preparation() {
  uint64_t wakes_seen = 0;
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    wakes_seen = wakes_;
    lock.unlock();
    const Step result = prepare_some();
    lock.lock();
    if (result == Step::failed)
      work_.wait_for(lock, std::chrono::milliseconds(bounds::segment_retry_ms),
                     [&] { return is_stopping_; });
    else if (result == Step::idle)
      work_.wait(lock, [&] { return is_stopping_ || wakes_ != wakes_seen; });
  }
}

void SegmentKeeper::run_reporting() {
  uint64_t wakes_seen = 0;
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    wakes_seen = wakes_;
    lock.unlock();
    const bool has_reported = tell_some();
    lock.lock();
    if (!has_reported) work_.wait(lock, [&] { return is_stopping_ || wakes_ != wakes_seen; });
  }
}

bool SegmentKeeper::is_stopping() const {
  const std::lock_guard lock(mutex_);
  return is_stopping_;
}

// One segment of each stream, so that no stream waits for another's backlog. A stop waits for one of them at most.
bool SegmentKeeper::tell_some() {
  if (listener_ == nullptr) return false;
  bool has_reported = false;
  for (const auto& stream : streams_) {
    if (is_stopping()) break;
    if (stream->reported_ == stream->closed_.load(std::memory_order_acquire)) continue;
    stream->reported_ += 1;
    listener_->on_segment_closed(stream->files_.stream, stream->reported_);
    has_reported = true;
  }
  return has_reported;
}

}  // namespace stampede::orderlog
