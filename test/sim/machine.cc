#include "machine.h"

#include <algorithm>

#include "base/check.h"
#include "bells.h"

namespace stampede::sim {

// A shard's end of a net. What a dead process writes goes nowhere. Its bells are descriptors of the kernel; a net in memory hears
// them here.
class SimMachine::LentNet final : public net::Net {
 public:
  LentNet(world::FakeNet& net, const bool& is_cut, size_t& bells_heard)
      : net_(net), is_cut_(is_cut), bells_heard_(bells_heard) {}
  ~LentNet() override {
    for (const Bell& bell : bells_) end_hearing(bell.socket);
  }

  std::span<const net::Event> poll(int64_t wait_ns) override {
    const std::span<const net::Event> of_net = net_.poll(wait_ns);
    events_.clear();
    for (const Bell& bell : bells_)
      if (is_rung(bell.socket)) events_.push_back({.token = bell.token, .readable = true});
    bells_heard_ = events_.size();
    if (bells_heard_ == 0) return of_net;
    events_.insert(events_.end(), of_net.begin(), of_net.end());
    return events_;
  }
  void wait_for(std::span<const net::Socket> sockets, int64_t wait_ns) override {
    if (std::ranges::none_of(sockets, is_rung)) net_.wait_for({}, wait_ns);
  }
  net::Accepted accept(net::Socket listener) override { return net_.accept(listener); }
  net::Accepted adopt(net::Socket socket, bool is_preferred) override {
    return net_.adopt(socket, is_preferred);
  }
  bool watch(net::Socket socket, uint64_t token, net::Interest interest) override {
    if (is_in_memory(socket)) return net_.watch(socket, token, interest);
    CHECK(interest == net::Interest::read);
    begin_hearing(socket);
    bells_.push_back({.socket = socket, .token = token});
    return true;
  }
  void rewatch(net::Socket socket, uint64_t token, net::Interest interest) override {
    CHECK(is_in_memory(socket));
    net_.rewatch(socket, token, interest);
  }
  void unwatch(net::Socket socket) override {
    if (is_in_memory(socket)) return net_.unwatch(socket);
    end_hearing(socket);
    std::erase_if(bells_, [socket](const Bell& bell) { return bell.socket == socket; });
  }
  void set_rank(net::Socket socket, uint64_t token, net::Interest interest,
                net::Rank rank) override {
    net_.set_rank(socket, token, interest, rank);
  }
  net::Io read(net::Socket socket, std::span<char> into) override {
    return net_.read(socket, into);
  }
  net::Io write(net::Socket socket, std::span<const char> from) override {
    if (is_cut_) return {net::Io::Status::ok, from.size()};
    return net_.write(socket, from);
  }
  void shut_down_write(net::Socket socket) override {
    if (!is_cut_) net_.shut_down_write(socket);
  }
  void close(net::Socket socket) override { net_.close(socket); }
  void reset(net::Socket socket) override { net_.reset(socket); }
  void limit_connections(uint32_t most) override { net_.limit_connections(most); }
  net::Address peer_of(net::Socket socket) override { return net_.peer_of(socket); }
  const net::NetCounters& counters() const override { return net_.counters(); }

 private:
  struct Bell {
    net::Socket socket;
    uint64_t token;
  };
  static bool is_in_memory(net::Socket socket) { return socket >= world::FakeNet::kFirstSocket; }

  world::FakeNet& net_;
  const bool& is_cut_;
  size_t& bells_heard_;  // by the last poll
  std::vector<Bell> bells_;
  std::vector<net::Event> events_;
};

SimMachine::SimMachine(Servers& servers, MachineFiles& files, uint32_t node, Boot boot,
                       Random random, std::function<void(std::chrono::nanoseconds)> pass_time)
    : servers_(servers),
      files_(files),
      node_(node),
      redis_(servers.redis.make_access(node)),
      boot_(boot),
      clock_(servers.clock, boot.ns),
      random_(random),
      pass_time_(std::move(pass_time)) {}

SimMachine::~SimMachine() = default;

// ---- the scheduler's ----

world::FakeClient& SimMachine::connect(uint32_t shard) {
  return nets_[shard]->connect(listeners_[shard]);
}

world::FakeClient& SimMachine::connect_operator() {
  return nets_[0]->connect(admin_listener_);
}

void SimMachine::limit_places(size_t most) {
  places_max_ = most;
  for (const auto& net : nets_) net->set_places_max(most);
}

void SimMachine::end_connections(bool is_silent) {
  for (const auto& net : nets_) net->die(is_silent);
}

// ---- node::Machine ----

void SimMachine::run_all(std::span<const std::function<void()>> tasks) {
  for (const std::function<void()>& task : tasks) task();
}

std::unique_ptr<net::Net> SimMachine::make_net(net::DescriptorBudget&, net::Socket) {
  const size_t shard = nets_lent_++;
  return std::make_unique<LentNet>(*nets_.at(shard), is_cut_, bells_heard_.at(shard));
}

// The buyers' listeners first, one for each shard's net; the operators' is at the first of them.
Result<std::vector<net::Socket>> SimMachine::open_listeners(const net::Address&, unsigned count) {
  if (!listeners_.empty()) {
    CHECK(count == 1);
    admin_listener_ = nets_[0]->listen();
    return std::vector<net::Socket>{admin_listener_};
  }
  bells_heard_.resize(count);
  for (unsigned i = 0; i < count; ++i) {
    nets_.push_back(std::make_unique<world::FakeNet>());
    nets_.back()->set_places_max(places_max_);
    listeners_.push_back(nets_.back()->listen());
  }
  return listeners_;
}

Result<orderlog::DiskPlan> SimMachine::plan_disk(const std::string&,
                                                 orderlog::Durability durability) {
  return disk_plan(durability);
}

Result<std::unique_ptr<orderlog::Disk>> SimMachine::make_disk(const orderlog::DiskPlan&) {
  auto disk = std::make_unique<SimDisk>(servers_.clock, files_, random_.next());
  disks_.push_back(disk.get());
  return std::unique_ptr<orderlog::Disk>(std::move(disk));
}

std::unique_ptr<drain::Sink> SimMachine::make_sink(const drain::DatabaseUrl& url) {
  if (url.kind == drain::DatabaseUrl::Kind::none) return nullptr;
  return servers_.database.make_sink();
}

Result<std::vector<drain::StreamPosition>> SimMachine::look_at_positions(
    const drain::DatabaseUrl&) {
  return servers_.database.look_at_positions();
}

Result<std::vector<drain::KnownOrder>> SimMachine::look_at_outermost_orders(
    const drain::DatabaseUrl&, uint32_t node, size_t count_max) {
  return servers_.database.look_at_outermost_orders(node, count_max);
}

Result<OrderId> SimMachine::look_at_newest_order(const drain::DatabaseUrl&, uint32_t node) {
  return servers_.database.look_at_newest_order(node);
}

std::unique_ptr<cluster::Registry> SimMachine::make_registry(const drain::DatabaseUrl&) {
  return std::make_unique<SimulatedRegistry>(servers_.registry, node_);
}

}  // namespace stampede::sim
