#include "shard/listeners.h"

#include <algorithm>

#include "base/check.h"

namespace stampede::shard {
namespace {

constexpr int64_t kRestNs = 100 * kMillisecond;

}  // namespace

uint64_t Listeners::token_of(uint32_t index) const {
  return kTokenBit | (uint64_t{listeners_[index].generation & 0x3fffffff} << 32) | index;
}

bool Listeners::is_current(uint64_t token) const {
  const uint32_t index = static_cast<uint32_t>(token);
  CHECK(index < listeners_.size());
  return listeners_[index].is_open && token == token_of(index);
}

void Listeners::add(net::Socket socket, const Service& service) {
  CHECK(service.handler != nullptr);
  listeners_.push_back({.socket = socket, .service = service});
  const uint32_t index = static_cast<uint32_t>(listeners_.size() - 1);
  if (!net_.watch(socket, token_of(index), net::Interest::read))
    fatal(kExitFailure, "cannot watch a listening socket");
}

// False: nothing more can be let in now.
bool Listeners::go_on(uint32_t index, net::Accepted::Status status, Moment now) {
  Listener& listener = listeners_[index];
  switch (status) {
    case net::Accepted::Status::accepted:
    case net::Accepted::Status::aborted:
      return true;
    case net::Accepted::Status::shed:
      metrics_.connections_shed.add();
      return true;
    case net::Accepted::Status::none:
      return false;
    case net::Accepted::Status::exhausted:
      // Level-triggered: watching on would spin until a descriptor is free.
      net_.unwatch(listener.socket);
      listener.is_watched = false;
      listener.rest_until_ns = now.boot_ns + kRestNs;
      return false;
  }
  CHECK(false);
}

void Listeners::pass_time(Moment now) {
  for (uint32_t i = 0; i < listeners_.size(); ++i) {
    Listener& listener = listeners_[i];
    if (!listener.is_open || listener.is_watched || now.boot_ns < listener.rest_until_ns) continue;
    listener.is_watched = net_.watch(listener.socket, token_of(i), net::Interest::read);
    if (!listener.is_watched) listener.rest_until_ns = now.boot_ns + kRestNs;
  }
}

int64_t Listeners::quiet_until_ns() const {
  int64_t until = INT64_MAX;
  for (const Listener& listener : listeners_)
    if (listener.is_open && !listener.is_watched) until = std::min(until, listener.rest_until_ns);
  return until;
}

void Listeners::close_all() {
  for (Listener& listener : listeners_) {
    if (!listener.is_open) continue;
    net_.close(listener.socket);
    listener.is_open = false;
    ++listener.generation;
  }
}

}  // namespace stampede::shard
