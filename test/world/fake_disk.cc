#include "fake_disk.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "base/check.h"

namespace stampede::world {

FakeDisk::FakeDisk() : event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(event_ >= 0);
}

FakeDisk::~FakeDisk() {
  ::close(event_);
}

void FakeDisk::submit(int fd, uint64_t offset, std::span<const std::byte> bytes) {
  CHECK(!is_writing());
  CHECK(!outcome_.has_value());
  CHECK(!bytes.empty());
  in_flight_ = {.fd = fd, .offset = offset, .bytes = bytes};
  ++writes_;
}

std::optional<int64_t> FakeDisk::poll() {
  const bool is_due =
      is_writing() && polls_per_write_ != 0 && ++in_flight_.polls >= polls_per_write_;
  if (is_due && next_error_ != 0)
    fail(std::exchange(next_error_, 0));
  else if (is_due)
    complete();
  return std::exchange(outcome_, std::nullopt);
}

void FakeDisk::drain_events() {
  uint64_t count = 0;
  (void)!::read(event_, &count, sizeof count);
}

void FakeDisk::complete() {
  const size_t bytes = in_flight_.bytes.size();
  put(bytes);
  end(static_cast<int64_t>(bytes));
}

void FakeDisk::fail(int error) {
  CHECK(is_writing());
  end(-error);
}

void FakeDisk::cut_short(size_t bytes) {
  put(bytes);
  end(static_cast<int64_t>(bytes));
}

void FakeDisk::tear(size_t bytes) {
  put(bytes);
}

void FakeDisk::put(size_t bytes) {
  CHECK(is_writing());
  CHECK(bytes <= in_flight_.bytes.size());
  const ssize_t written = ::pwrite(in_flight_.fd, in_flight_.bytes.data(), bytes,
                                   static_cast<off_t>(in_flight_.offset));
  CHECK(written == static_cast<ssize_t>(bytes));
}

void FakeDisk::end(int64_t outcome) {
  in_flight_ = {};
  outcome_ = outcome;
  const uint64_t one = 1;
  CHECK(::write(event_, &one, sizeof one) == sizeof one);
}

}  // namespace stampede::world
