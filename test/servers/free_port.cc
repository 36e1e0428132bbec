#include "free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <random>

namespace stampede::servers {
namespace {

constexpr uint32_t kLowestPort = 12'000;
constexpr uint32_t kPortCount = 20'000;

}  // namespace

int listen_on(uint16_t port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
      listen(fd, SOMAXCONN) == 0)
    return fd;
  close(fd);
  return -1;
}

uint16_t free_port() {
  // From a place of its own, so that test programs that run at once rarely try the same port.
  static std::atomic<uint32_t> next{std::random_device{}() % kPortCount};
  while (true) {
    auto port = static_cast<uint16_t>(kLowestPort + next++ % kPortCount);
    int fd = listen_on(port);
    if (fd < 0) continue;
    close(fd);
    return port;
  }
}

}  // namespace stampede::servers
