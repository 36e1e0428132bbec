#include "load/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace stampede::load {

net::Socket begin_connect(const net::Address& server) {
  sockaddr_storage address;
  uint32_t bytes = net::to_kernel(server, address);
  int socket = ::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return net::kNoSocket;
  int on = 1;
  if (address.ss_family != AF_UNIX) setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(socket, reinterpret_cast<sockaddr*>(&address), bytes) == 0 || errno == EINPROGRESS)
    return socket;
  int cause = errno;
  close(socket);
  errno = cause;
  return net::kNoSocket;
}

int connect_result(net::Socket socket) {
  int problem = 0;
  socklen_t bytes = sizeof problem;
  return getsockopt(socket, SOL_SOCKET, SO_ERROR, &problem, &bytes) == 0 ? problem : errno;
}

}  // namespace stampede::load
