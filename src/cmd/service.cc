#include "cmd/service.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include <cinttypes>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "net/listener.h"

namespace stampede::cmd {
namespace {

constexpr const char* kNoName = "unknown";  // sd_listen_fds_with_names(3)
constexpr const char* kNames[] = {"listen", "admin"};

// Owned by the caller as systemd gives them: a list, and each of its texts.
std::vector<std::string> take_names(char** names, int count) {
  std::vector<std::string> taken;
  for (int i = 0; i < count; ++i) {
    taken.emplace_back(names[i]);
    std::free(names[i]);
  }
  std::free(names);
  return taken;
}

std::vector<net::Socket>* place_of(net::PassedSockets& passed, std::string_view name) {
  if (name == kNames[0]) return &passed.listen;
  return name == kNames[1] ? &passed.admin : nullptr;
}

}  // namespace

Result<net::PassedSockets> take_sockets_of_units() {
  char** raw_names = nullptr;
  const int count = sd_listen_fds_with_names(1, &raw_names);
  if (count < 0) return Error{std::string("LISTEN_FDS: ") + std::strerror(-count)};
  const std::vector<std::string> names = take_names(raw_names, count);
  net::PassedSockets passed;
  for (int i = 0; i < count; ++i) {
    const std::string name = names[i] == kNoName && i < 2 ? kNames[i] : names[i];
    std::vector<net::Socket>* const place = place_of(passed, name);
    if (place == nullptr || !place->empty())
      return Error{"LISTEN_FDS: a socket '" + name +
                   "': expected at most one with FileDescriptorName=listen and one with admin"};
    const Result<net::Socket> socket = net::adopt_listener(SD_LISTEN_FDS_START + i);
    if (!socket) return Error{"LISTEN_FDS: " + socket.error().message};
    place->push_back(*socket);
  }
  return passed;
}

void notify_starting(const std::string& how_far, bool goes_on) {
  sd_notifyf(0, "STATUS=starting: %s%s", how_far.c_str(),
             goes_on ? "\nEXTEND_TIMEOUT_USEC=60000000" : "");
}

void notify_ready() {
  sd_notify(0, "READY=1\nSTATUS=selling");
}

void notify_reloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t us = int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
  sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, us);
}

void notify_reloaded(const std::string& outcome) {
  sd_notifyf(0, "READY=1\nSTATUS=selling; %s", outcome.c_str());
}

void notify_stopping() {
  sd_notify(0, "STOPPING=1\nSTATUS=stopping: finishing what is under way");
}

void notify_alive() {
  sd_notify(0, "WATCHDOG=1");
}

}  // namespace stampede::cmd
