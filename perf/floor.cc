// The floor: what the kernel alone costs. One thread, one bare epoll loop, and for each `\r\n\r\n`
// that comes in a constant response goes out. It parses nothing, decides nothing and stores
// nothing, so no server on epoll that answers in the same pattern of system calls can be cheaper;
// ours is measured as a fraction of it, in the same run on the same machine, because absolute
// numbers say more about the machine than about the program.
//
//   floor PORT [CPU]     listens on 127.0.0.1:PORT, pinned to CPU if one is given, until it is
//   killed
//
// A request may have a body without an empty line in it, may come in pieces and may be pipelined.
// One read and one write per ready socket and turn.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 13\r\n"
    "\r\n"
    "Hello, World!";
constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr size_t kResponsesInOneWrite = 1024;
constexpr uint64_t kListenerToken = UINT64_MAX;

// Responses are all alike, so that a connection's unsent output is only a number of bytes.
struct Connection {
  size_t matched = 0;  // bytes of kEndOfHead at the end of what was read
  size_t unsent = 0;
};

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "floor: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

void pin_to(int cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  if (sched_setaffinity(0, sizeof cpus, &cpus) < 0) die("pinning");
}

int open_listener(uint16_t port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted sockets inherit it
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) die("bind");
  if (listen(listener, 4096) < 0) die("listen");
  return listener;
}

// memchr finds the rare byte with vector instructions; what follows it decides.
size_t count_requests(Connection& connection, std::string_view input) {
  size_t requests = 0;
  while (!input.empty()) {
    if (connection.matched == 0) {
      const size_t at = input.find('\r');
      if (at == std::string_view::npos) return requests;
      input.remove_prefix(at);
    }
    if (input[0] == kEndOfHead[connection.matched]) {
      ++connection.matched;
      input.remove_prefix(1);
    } else {
      connection.matched = 0;  // and look at this byte again: it may be a '\r'
    }
    if (connection.matched == kEndOfHead.size()) {
      connection.matched = 0;
      ++requests;
    }
  }
  return requests;
}

class Floor {
 public:
  explicit Floor(uint16_t port) : listener_(open_listener(port)), epoll_(epoll_create1(0)) {
    for (size_t i = 0; i < kResponsesInOneWrite; ++i) responses_ += kResponse;
    watch(EPOLL_CTL_ADD, listener_, EPOLLIN, kListenerToken);
  }

  [[noreturn]] void run() {
    epoll_event events[512];
    for (;;) {
      const int ready = epoll_wait(epoll_, events, 512, -1);
      for (int i = 0; i < ready; ++i) {
        if (events[i].data.u64 == kListenerToken)
          accept_all();
        else
          serve(static_cast<int>(events[i].data.u64), events[i].events);
      }
    }
  }

 private:
  void watch(int operation, int descriptor, uint32_t interest, uint64_t token) {
    epoll_event event{.events = interest, .data = {.u64 = token}};
    if (epoll_ctl(epoll_, operation, descriptor, &event) < 0) die("epoll_ctl");
  }

  void accept_all() {
    for (int client; (client = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
      const size_t index = static_cast<size_t>(client);
      if (index >= connections_.size()) connections_.resize(index + 1);
      connections_[index] = {};
      watch(EPOLL_CTL_ADD, client, EPOLLIN, index);
    }
  }

  void serve(int client, uint32_t events) {
    Connection& connection = connections_[static_cast<size_t>(client)];
    if (events & ~uint32_t{EPOLLOUT}) {
      const ssize_t bytes = recv(client, input_, sizeof input_, 0);
      if (bytes <= 0) {
        if (bytes == 0 || errno != EAGAIN) close(client);
        return;
      }
      const size_t requests = count_requests(connection, {input_, static_cast<size_t>(bytes)});
      connection.unsent += requests * kResponse.size();
    }
    if (connection.unsent > 0) flush(client, connection, (events & EPOLLOUT) != 0);
  }

  void flush(int client, Connection& connection, bool was_waiting) {
    const size_t sent_of_first =
        (kResponse.size() - connection.unsent % kResponse.size()) % kResponse.size();
    const size_t bytes = std::min(connection.unsent, responses_.size() - sent_of_first);
    const ssize_t written = send(client, responses_.data() + sent_of_first, bytes, MSG_NOSIGNAL);
    if (written > 0) connection.unsent -= static_cast<size_t>(written);
    const bool is_waiting = connection.unsent > 0;
    if (is_waiting != was_waiting)
      watch(EPOLL_CTL_MOD, client, is_waiting ? uint32_t{EPOLLIN | EPOLLOUT} : uint32_t{EPOLLIN},
            static_cast<uint64_t>(client));
  }

  int listener_;
  int epoll_;
  std::string responses_;
  std::vector<Connection> connections_;  // by descriptor
  char input_[64 * 1024];
};

}  // namespace

int main(int argc, char** argv) {
  const int port = argc > 1 ? std::atoi(argv[1]) : 0;
  if (argc > 3 || port < 1 || port > 65535) {
    std::fprintf(stderr, "usage: floor PORT [CPU]\n");
    return 2;
  }
  if (argc == 3) pin_to(std::atoi(argv[2]));
  Floor floor(static_cast<uint16_t>(port));
  floor.run();
}
