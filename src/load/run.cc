#include "load/run.h"

#include "base/thread.h"

namespace stampede::load {

Run::Run(const Plan& plan, Clock& clock) : plan_(plan), statuses_(plan.threads, Status(Ok{})) {
  for (uint32_t thread = 0; thread < plan.threads; ++thread)
    generators_.push_back(std::make_unique<Generator>(plan, thread, clock, start_));
}

Run::~Run() {
  stop();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

void Run::begin() {
  for (uint32_t index = 0; index < plan_.threads; ++index)
    threads_.push_back(start_thread("generating load", [this, index] {
      statuses_[index] = generators_[index]->run();
      std::lock_guard lock(mutex_);
      ++threads_done_;
      done_.notify_all();
    }));
}

bool Run::wait(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return done_.wait_for(lock, time, [&] { return threads_done_ == plan_.threads; });
}

void Run::add_live(Live& live, Histogram& latency_ns) const {
  for (const auto& generator : generators_) {
    live.add(generator->tally().live);
    latency_ns.merge(generator->tally().latency_ns);
  }
}

Status Run::finish() {
  for (std::thread& thread : threads_) thread.join();
  gather();
  for (const Status& status : statuses_)
    if (!status) return status;
  return Ok{};
}

void Run::gather() {
  for (const auto& generator : generators_) {
    tally_.merge(generator->tally());
    unsent_ += generator->unsent();
    const UserBook& book = generator->book();
    second_orders_ += book.second_orders();
    for (uint64_t user = 0; user < book.users(); ++user)
      ++users_[static_cast<size_t>(book.end_of(user))];
  }
}

}  // namespace stampede::load
