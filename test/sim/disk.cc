#include "disk.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "files.h"

namespace stampede::sim {

orderlog::DiskPlan disk_plan(orderlog::Durability durability) {
  const int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW;
  const bool is_os = durability == orderlog::Durability::os;
  return {.durability = durability,
          .has_uring = true,
          .is_direct = !is_os,
          .open_flags = is_os ? flags : flags | O_DSYNC | O_DIRECT,
          .description = "order log: a simulated disk"};
}

SimDisk::SimDisk(Clock& clock, MachineFiles& machine, uint64_t seed, const DiskSpeed& speed)
    : clock_(clock),
      machine_(machine),
      random_(seed),
      speed_(speed),
      event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(event_ >= 0);
  machine_.add(*this);
}

SimDisk::~SimDisk() {
  machine_.remove(*this);
  ::close(event_);
}

std::optional<int64_t> SimDisk::due_ns() const {
  if (write_.bytes.empty()) return std::nullopt;
  return write_.due_ns;
}

void SimDisk::settle() {
  if (write_.bytes.empty() || clock_.now().boot_ns < write_.due_ns) return;
  end(perform());
}

void SimDisk::stall(int64_t ns) {
  if (write_.bytes.empty())
    stall_ns_ += ns;
  else
    write_.due_ns += ns;
}

void SimDisk::submit(int fd, uint64_t offset, std::span<const std::byte> bytes) {
  CHECK(write_.bytes.empty());
  CHECK(!outcome_);
  CHECK(!bytes.empty());
  CHECK(bytes.size() % kSectorBytes == 0);
  const OpenFile* const open = FileSystem::current()->opened(fd);
  CHECK(open != nullptr);
  CHECK(open->machine == &machine_);
  const int64_t ns = draw_ns() + std::exchange(stall_ns_, 0);
  write_ = {.open = *open, .offset = offset, .bytes = bytes, .due_ns = clock_.now().boot_ns + ns};
  last_bytes_ = bytes.size();
  ++writes_;
  if (machine_.has_ended()) end(static_cast<int64_t>(bytes.size()));
}

int64_t SimDisk::draw_ns() {
  const bool is_slow = speed_.slow_one_in > 0 && random_.below(speed_.slow_one_in) == 0;
  const int64_t low = is_slow ? speed_.ns_max : speed_.ns_min;
  const int64_t high = is_slow ? std::max(speed_.slow_ns_max, low) : speed_.ns_max;
  return static_cast<int64_t>(
      random_.between(static_cast<uint64_t>(low), static_cast<uint64_t>(high)));
}

std::optional<int64_t> SimDisk::poll() {
  settle();
  // A process that ended by what its write came to has taken the outcome, and is taken apart with it.
  if (machine_.has_ended() && !outcome_ && last_bytes_ > 0)
    return static_cast<int64_t>(std::exchange(last_bytes_, 0));
  return std::exchange(outcome_, std::nullopt);
}

void SimDisk::drain_events() {
  uint64_t count = 0;
  (void)!::read(event_, &count, sizeof count);
}

// What the write comes to at its time.
int64_t SimDisk::perform() {
  const int error = std::exchange(next_error_, 0);
  if (error == EINTR || error == EAGAIN) return -error;
  if (error != 0) {
    put_any(random_);
    return -error;
  }
  if (std::exchange(is_next_short_, false)) return put(0, random_.below(sectors()));
  return put(0, sectors());
}

// One call for these sectors. Bytes written, or −errno.
int64_t SimDisk::put(uint64_t first_sector, uint64_t sectors) {
  if (sectors == 0) return 0;
  const uint64_t from = first_sector * kSectorBytes;
  const auto bytes = write_.bytes.subspan(from, sectors * kSectorBytes);
  const auto offset = static_cast<off_t>(write_.offset + from);
  const ssize_t written = machine_.write(write_.open, bytes.data(), bytes.size(), offset);
  return written < 0 ? -errno : written;
}

// Each sector or not.
void SimDisk::put_any(Random& random) {
  const uint64_t written_of_16 = random.below(17);
  for (uint64_t sector = 0; sector < sectors(); ++sector)
    if (random.below(16) < written_of_16) (void)put(sector, 1);
}

void SimDisk::on_power_cut(Random& random) {
  if (write_.bytes.empty()) return;
  const uint64_t kind = random.below(4);
  if (kind == 0) (void)put(0, sectors());
  if (kind > 1) put_any(random);
  end(static_cast<int64_t>(write_.bytes.size()));
}

void SimDisk::on_kill(Random& random) {
  if (write_.bytes.empty()) return;
  const uint64_t kind = random.below(3);
  if (kind == 0) (void)put(0, sectors());
  if (kind == 1) (void)put(0, random.below(sectors() + 1));
  end(static_cast<int64_t>(write_.bytes.size()));
}

void SimDisk::end(int64_t outcome) {
  write_ = {};
  outcome_ = outcome;
  const uint64_t one = 1;
  CHECK(::write(event_, &one, sizeof one) == sizeof one);
}

}  // namespace stampede::sim
