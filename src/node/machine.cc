#include "node/machine.h"

#include <thread>

#include "base/thread.h"
#include "cluster/postgres_registry.h"
#include "net/epoll_net.h"
#include "net/listener.h"

namespace stampede::node {

void SystemMachine::pause(std::chrono::microseconds time) {
  std::this_thread::sleep_for(time);
}

void SystemMachine::run_all(std::span<const std::function<void()>> tasks) {
  std::vector<std::thread> threads;
  for (const std::function<void()>& task : tasks)
    threads.push_back(start_thread("a part of the start", task));
  for (std::thread& thread : threads) thread.join();
}

std::unique_ptr<net::Net> SystemMachine::make_net(net::DescriptorBudget& budget,
                                                  net::Socket preferred) {
  auto net = std::make_unique<net::EpollNet>(&budget);
  if (preferred != net::kNoSocket) net->prefer(preferred);
  return net;
}

Result<std::vector<net::Socket>> SystemMachine::open_listeners(const net::Address& address,
                                                               unsigned count) {
  return net::open_listeners(address, count);
}

std::unique_ptr<StartAnswers> SystemMachine::answer_while_starting(
    const net::Address& address, const std::vector<net::Socket>& passed, const Progress& progress) {
  return passed.empty() ? StartAnswers::open(address, progress)
                        : StartAnswers::at(passed, progress);
}

Result<orderlog::DiskPlan> SystemMachine::plan_disk(const std::string& directory,
                                                    orderlog::Durability durability) {
  return orderlog::plan_disk(directory, durability);
}

Result<std::unique_ptr<orderlog::Disk>> SystemMachine::make_disk(const orderlog::DiskPlan& plan) {
  return orderlog::make_disk(plan);
}

std::unique_ptr<drain::Sink> SystemMachine::make_sink(const drain::DatabaseUrl& url) {
  return drain::make_sink(url);
}

Result<std::vector<drain::StreamPosition>> SystemMachine::look_at_positions(
    const drain::DatabaseUrl& url) {
  return drain::look_at_positions(url);
}

Result<std::vector<drain::KnownOrder>> SystemMachine::look_at_outermost_orders(
    const drain::DatabaseUrl& url, uint32_t node, size_t count_max) {
  return drain::look_at_outermost_orders(url, node, count_max);
}

Result<OrderId> SystemMachine::look_at_newest_order(const drain::DatabaseUrl& url, uint32_t node) {
  return drain::look_at_newest_order(url, node);
}

std::unique_ptr<cluster::Registry> SystemMachine::make_registry(const drain::DatabaseUrl& url) {
  return std::make_unique<cluster::PostgresRegistry>(url.url);
}

Machine& system_machine() {
  static SystemMachine machine;
  return machine;
}

}  // namespace stampede::node
