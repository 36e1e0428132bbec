#include "node/appender.h"

namespace stampede::node {
namespace {

constexpr std::chrono::microseconds kPollPause{50};

}  // namespace

bool Appender::make_room(size_t records) {
  if (writer_.room() < records * bounds::record_bytes_max && !await_durable()) return false;
  return !gives_up();
}

void Appender::append(const orderlog::Record& record) {
  const Lsn lsn = writer_.append(record);
  CHECK(bool(state_.apply(record, lsn, machine_.clock().now())));
}

// Beside whoever makes segments ready it is enough to wait.
bool Appender::lacks_segment() {
  if (keeper_ == nullptr || !writer_.is_blocked() || writer_.is_writing()) return false;
  return keeper_->prepare_some() == orderlog::SegmentKeeper::Step::failed;
}

bool Appender::await_durable() {
  while (!writer_.is_idle() && !gives_up()) {
    writer_.start_write(machine_.clock().now());
    if (lacks_segment()) return false;
    if (!writer_.poll(machine_.clock().now())) machine_.pause(kPollPause);
  }
  disk_.drain_events();
  return writer_.is_idle();
}

}  // namespace stampede::node
