#include "node/appender.h"

#include <chrono>
#include <thread>

namespace stampede::node {

bool Appender::make_room(size_t records) {
  if (writer_.room() < records * bounds::record_bytes_max) await_durable();
  return !gives_up();
}

void Appender::append(const orderlog::Record& record) {
  const Lsn lsn = writer_.append(record);
  CHECK(bool(state_.apply(record, lsn, clock_.now())));
}

void Appender::await_durable() {
  while (!writer_.is_idle() && !gives_up()) {
    writer_.start_write(clock_.now());
    if (!writer_.poll(clock_.now())) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  disk_.drain_events();
}

}  // namespace stampede::node
