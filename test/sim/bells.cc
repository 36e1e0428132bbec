#include "bells.h"

#include <poll.h>

#include <cstddef>
#include <vector>

#include "base/check.h"

namespace stampede::sim {
namespace {

struct Bell {
  bool is_heard = false, is_rung = false;
};
std::vector<Bell> bells;  // by descriptor

Bell* find(int fd) {
  const auto index = static_cast<size_t>(fd);
  return fd >= 0 && index < bells.size() && bells[index].is_heard ? &bells[index] : nullptr;
}

}  // namespace

void begin_hearing(int fd) {
  CHECK(fd >= 0);
  const auto index = static_cast<size_t>(fd);
  if (bells.size() <= index) bells.resize(index + 1);
  pollfd look{.fd = fd, .events = POLLIN, .revents = 0};
  bells[index] = {.is_heard = true, .is_rung = ::poll(&look, 1, 0) == 1};
}

void end_hearing(int fd) {
  if (Bell* const bell = find(fd)) *bell = {};
}

bool is_rung(int fd) {
  const Bell* const bell = find(fd);
  return bell != nullptr && bell->is_rung;
}

void note_ring(int fd) {
  if (Bell* const bell = find(fd)) bell->is_rung = true;
}

void note_drain(int fd) {
  if (Bell* const bell = find(fd)) bell->is_rung = false;
}

}  // namespace stampede::sim
