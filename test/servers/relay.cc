#include "relay.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "free_port.h"
#include "resp_frame.h"

namespace stampede::servers {
namespace {

using std::chrono::milliseconds;

// A flow that holds so much reads no more; the sender feels it as a full window.
constexpr size_t kHeldBytesMax = 4 << 20;
constexpr size_t kFloodBytes = 1 << 20;  // at a time

size_t index(Direction direction) {
  return static_cast<size_t>(direction);
}

// A connection on its way: loopback answers at once, and a refusal shows at the first read.
int connect_to(uint16_t port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  return fd;
}

void send_at_once(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void close_with_reset(int fd) {
  linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(fd);
}

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

// One direction of a connection.
struct Relay::Flow {
  struct Chunk {
    std::string bytes;
    Clock::time_point due;
  };

  int from = -1, to = -1;
  std::deque<Chunk> held;
  size_t held_bytes = 0;
  std::string part_of_reply;  // while replies are counted
  bool is_silent = false;     // drops all that comes
  bool is_flooding = false;
  bool has_ended = false;  // the sender has, and after `held` so does this
  bool is_shut = false;    // the receiver was told

  bool can_receive() const { return !has_ended && held_bytes < kHeldBytesMax; }
  bool is_due(Clock::time_point now) const { return !held.empty() && held.front().due <= now; }
  void hold(std::string bytes, Clock::time_point due) {
    if (bytes.empty()) return;
    held_bytes += bytes.size();
    held.push_back({std::move(bytes), due});
  }
};

struct Relay::Connection {
  Connection(int client_fd, int server_fd) : client(client_fd), server(server_fd) {
    for (int fd : {client, server}) send_at_once(fd);
    flows[index(Direction::to_server)] = {.from = client, .to = server};
    flows[index(Direction::to_client)] = {.from = server, .to = client};
  }
  ~Connection() {
    for (int fd : {client, server}) is_finished() ? void(close(fd)) : close_with_reset(fd);
  }
  Connection(const Connection&) = delete;

  bool is_finished() const { return flows[0].is_shut && flows[1].is_shut; }
  bool is_over() const { return is_broken || is_finished(); }

  const int client, server;
  Flow flows[2];
  bool is_broken = false;  // to be reset
};

Relay::Relay(uint16_t server_port)
    : port_(free_port()),
      wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      server_port_(server_port) {
  listener_ = listen_on(port_);
  REQUIRE(listener_ >= 0);
  thread_ = std::thread([this] { run(); });
}

Relay::~Relay() {
  on_thread([this] { is_ending_ = true; });
  thread_.join();
  connections_.clear();
  if (listener_ >= 0) close(listener_);
  close(wake_fd_);
}

void Relay::redirect(uint16_t server_port) {
  on_thread([=, this] { server_port_ = server_port; });
}

void Relay::delay(Direction direction, milliseconds time) {
  on_thread([=, this] { delays_[index(direction)] = time; });
}

void Relay::pause() {
  on_thread([this] { is_paused_ = true; });
}

void Relay::resume() {
  on_thread([this] { is_paused_ = false; });
}

void Relay::cut() {
  on_thread([this] {
    accept_all();  // the client may have seen its connection before this thread has
    connections_.clear();
  });
}

void Relay::refuse() {
  on_thread([this] {
    accept_all();
    if (listener_ >= 0) close(listener_);
    listener_ = -1;
  });
}

void Relay::accept() {
  on_thread([this] {
    if (listener_ < 0) listener_ = listen_on(port_);
  });
}

void Relay::swallow(Direction direction, Times times) {
  on_thread([=, this] { swallowing_[index(direction)] = times; });
}

void Relay::forge_reply(uint64_t nth, Forgery forgery) {
  on_thread([&] {
    replies_to_forgery_ = nth;
    forgery_ = std::move(forgery);
  });
}

void Relay::inject(const std::string& bytes) {
  on_thread([&] {
    for (Connection& each : connections_)
      each.flows[index(Direction::to_client)].hold(bytes, Clock::now());
  });
}

RelayCounts Relay::counts() {
  RelayCounts counts;
  on_thread([&] {
    publish();
    counts = now_;
  });
  return counts;
}

bool Relay::await_counts(const std::function<bool(const RelayCounts&)>& are_so,
                         milliseconds patience) const {
  std::unique_lock lock(counts_mutex_);
  return counts_changed_.wait_for(lock, patience, [&] { return are_so(counts_); });
}

void Relay::on_thread(std::function<void()> job) {
  auto done = std::make_shared<std::promise<void>>();
  {
    std::lock_guard lock(jobs_mutex_);
    jobs_.push_back([&job, this, done] {
      job();
      publish();
      done->set_value();
    });
  }
  eventfd_write(wake_fd_, 1);
  done->get_future().wait();
}

// Jobs come first in a turn, so that what a call forbids does not happen after it.
void Relay::run() {
  while (true) {
    await_events();
    run_jobs();
    if (is_ending_) return;
    accept_all();
    for (Connection& each : connections_) pump(each);
    connections_.remove_if([](const Connection& each) { return each.is_over(); });
    publish();
  }
}

void Relay::await_events() {
  std::vector<pollfd> entries{{.fd = wake_fd_, .events = POLLIN},
                              {.fd = listener_, .events = POLLIN}};
  Clock::time_point now = Clock::now();
  std::optional<Clock::time_point> next_due;
  for (Connection& each : connections_) {
    if (is_paused_) break;
    for (Flow& flow : each.flows) {
      // Only what is waited for: poll reports hang-ups of everything it is given, again and again.
      if (flow.can_receive()) entries.push_back({.fd = flow.from, .events = POLLIN});
      if (flow.is_due(now) || flow.is_flooding)
        entries.push_back({.fd = flow.to, .events = POLLOUT});
      else if (!flow.held.empty())
        next_due = std::min(next_due.value_or(flow.held.front().due), flow.held.front().due);
    }
  }
  int timeout_ms = -1;
  if (next_due) timeout_ms = std::chrono::ceil<milliseconds>(*next_due - now).count();
  poll(entries.data(), entries.size(), timeout_ms);
}

void Relay::run_jobs() {
  eventfd_t ignored;
  eventfd_read(wake_fd_, &ignored);
  std::vector<std::function<void()>> jobs;
  {
    std::lock_guard lock(jobs_mutex_);
    jobs.swap(jobs_);
  }
  for (auto& job : jobs) job();
}

void Relay::accept_all() {
  while (listener_ >= 0) {
    int client = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    connections_.emplace_back(client, connect_to(server_port_));
    ++now_.accepted;
  }
}

void Relay::pump(Connection& connection) {
  if (is_paused_) return;
  Flow& requests = connection.flows[index(Direction::to_server)];
  Flow& replies = connection.flows[index(Direction::to_client)];
  receive(connection, requests, Direction::to_server);
  receive(connection, replies, Direction::to_client);
  if (connection.is_broken) return;
  hand_over(connection, requests, now_.bytes_to_server);
  if (replies.is_flooding && replies.held.empty())
    replies.hold(std::string(kFloodBytes, 'x'), Clock::now());
  hand_over(connection, replies, now_.bytes_to_client);
}

void Relay::receive(Connection& connection, Flow& flow, Direction direction) {
  if (!flow.can_receive()) return;
  char bytes[64 * 1024];
  ssize_t size = recv(flow.from, bytes, sizeof bytes, 0);
  if (size > 0) take_in(connection, flow, direction, std::string(bytes, size));
  if (size == 0) flow.has_ended = true;
  if (size < 0 && !would_block()) connection.is_broken = true;
}

void Relay::take_in(Connection& connection, Flow& flow, Direction direction, std::string bytes) {
  if (swallows(connection, direction) || flow.is_silent) return;
  bytes.insert(0, std::exchange(flow.part_of_reply, ""));
  if (direction == Direction::to_client && replies_to_forgery_ > 0)
    bytes = with_forgery(flow, std::move(bytes));
  flow.hold(std::move(bytes), Clock::now() + delays_[index(direction)]);
}

bool Relay::swallows(Connection& connection, Direction direction) {
  Times& times = swallowing_[index(direction)];
  if (times == Times::never) return false;
  if (times == Times::once) times = Times::never;
  ++(direction == Direction::to_server ? now_.swallowed_requests : now_.swallowed_replies);
  connection.is_broken = true;
  return true;
}

// Whole replies only, until the one to replace has come; after it everything as it is.
std::string Relay::with_forgery(Flow& flow, std::string bytes) {
  std::string result;
  while (replies_to_forgery_ > 0) {
    std::optional<size_t> length = reply_length(bytes);
    if (!length) {
      flow.part_of_reply = std::move(bytes);
      return result;
    }
    if (--replies_to_forgery_ > 0) {
      result += bytes.substr(0, *length);
      bytes.erase(0, *length);
      continue;
    }
    bytes.erase(0, *length);
    if (forgery_.drip > milliseconds::zero())
      drip(flow, forgery_.bytes);
    else
      result += forgery_.bytes;
    ++now_.forged_replies;
  }
  flow.is_flooding = forgery_.then == Forgery::Then::flood;
  flow.is_silent = forgery_.then != Forgery::Then::pass;
  flow.has_ended = forgery_.then == Forgery::Then::close;
  return flow.is_silent ? result : result + bytes;
}

void Relay::drip(Flow& flow, const std::string& bytes) {
  Clock::time_point due = Clock::now();
  for (const char byte : bytes) flow.hold({byte}, due += forgery_.drip);
}

void Relay::hand_over(Connection& connection, Flow& flow, uint64_t& count) {
  while (flow.is_due(Clock::now())) {
    std::string& bytes = flow.held.front().bytes;
    ssize_t size = send(flow.to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0) {
      connection.is_broken = !would_block();
      return;
    }
    count += size;
    flow.held_bytes -= size;
    bytes.erase(0, size);
    if (bytes.empty()) flow.held.pop_front();
  }
  if (!flow.has_ended || !flow.held.empty() || flow.is_shut) return;
  shutdown(flow.to, SHUT_WR);
  flow.is_shut = true;
}

void Relay::publish() {
  now_.open = connections_.size();
  std::lock_guard lock(counts_mutex_);
  counts_ = now_;
  counts_changed_.notify_all();
}

}  // namespace stampede::servers
