#include "net/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "bounds.h"

namespace stampede::net {
namespace {

// Owner and group: who may open a Unix socket is decided with the group.
constexpr mode_t kSocketFileMode = 0660;

Error cannot(const char* what, const Address& address, int error) {
  return {std::string("cannot ") + what + " " + text_of(address) + ": " + std::strerror(error)};
}

bool set_option(Socket socket, int level, int option, int value) {
  return ::setsockopt(socket, level, option, &value, sizeof value) == 0;
}

// The descriptor of a function that may still fail.
class Draft {
 public:
  explicit Draft(Socket socket) : socket_(socket) {}
  ~Draft() {
    if (socket_ >= 0) ::close(socket_);
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  Socket get() const { return socket_; }
  Socket release() { return std::exchange(socket_, kNoSocket); }

 private:
  Socket socket_;
};

int bind_to(Socket socket, const Address& address) {
  sockaddr_storage kernel;
  const uint32_t bytes = to_kernel(address, kernel);
  return ::bind(socket, reinterpret_cast<const sockaddr*>(&kernel), bytes);
}

enum class Place { first, sibling };

// [::] takes IPv4 clients too, whatever the machine's default: `--listen [::]:80` means everybody.
bool prepare_tcp(Socket socket, const Address& address, Place place) {
  if (!set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1)) return false;
  if (!set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1)) return false;
  if (address.family == Address::Family::ipv6 && !set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0))
    return false;
  return place == Place::first || set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1);
}

Result<Socket> open_tcp(const Address& address, Place place) {
  const int family = address.family == Address::Family::ipv6 ? AF_INET6 : AF_INET;
  Draft draft(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (draft.get() < 0) return cannot("open a socket for", address, errno);
  if (!prepare_tcp(draft.get(), address, place)) return cannot("set options for", address, errno);
  if (bind_to(draft.get(), address) < 0) return cannot("listen on", address, errno);
  // The port is ours now: from here on siblings may bind it too.
  if (place == Place::first && !set_option(draft.get(), SOL_SOCKET, SO_REUSEPORT, 1))
    return cannot("share", address, errno);
  if (::listen(draft.get(), bounds::listen_backlog) < 0) return cannot("listen on", address, errno);
  return draft.release();
}

// A dead server's socket file refuses connections; a living one's takes them (or is too busy to:
// EAGAIN).
bool is_stale(const Address& address) {
  const Draft probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage kernel;
  const uint32_t bytes = to_kernel(address, kernel);
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&kernel), bytes) < 0 &&
         errno == ECONNREFUSED;
}

// Whether a socket has the address's name. What else has it is an error.
Result<bool> has_socket_file(const Address& address) {
  struct stat file;
  if (::lstat(address.path.c_str(), &file) < 0) {
    if (errno == ENOENT) return false;
    return cannot("listen on", address, errno);
  }
  if (!S_ISSOCK(file.st_mode)) return cannot("replace what is not a socket at", address, EEXIST);
  return true;
}

Status clear_stale_file(const Address& address) {
  const Result<bool> there = has_socket_file(address);
  if (!there) return there.error();
  if (!*there) return Ok{};
  if (!is_stale(address)) return cannot("listen on", address, EADDRINUSE);
  if (::unlink(address.path.c_str()) < 0) return cannot("remove the old", address, errno);
  return Ok{};
}

Result<Socket> open_unix(const Address& address) {
  if (const Status cleared = clear_stale_file(address); !cleared) return cleared.error();
  Draft draft(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (draft.get() < 0) return cannot("open a socket for", address, errno);
  // Before bind the mode narrows what the file is made with, so that it is at no moment open to
  // all; after bind it is set again, because the umask may have narrowed it further.
  if (::fchmod(draft.get(), kSocketFileMode) < 0 || bind_to(draft.get(), address) < 0 ||
      ::chmod(address.path.c_str(), kSocketFileMode) < 0 ||
      ::listen(draft.get(), bounds::listen_backlog) < 0)
    return cannot("listen on", address, errno);
  return draft.release();
}

// A Unix socket has one queue of clients, which all shards take from: whichever is awake first. (SO_REUSEPORT is for
// TCP sockets that we open ourselves.) A client wakes every idle shard; one that finds nobody has lost a microsecond.
Result<Socket> share(Socket listener, const Address& address) {
  const int copy = ::fcntl(listener, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return cannot("share", address, errno);
  return copy;
}

// A port in use is not looked at: whether it may be had is asked first.
Status check_tcp(const Address& address) {
  const int family = address.family == Address::Family::ipv6 ? AF_INET6 : AF_INET;
  const Draft draft(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (draft.get() < 0) return cannot("open a socket for", address, errno);
  if (!prepare_tcp(draft.get(), address, Place::first))
    return cannot("set options for", address, errno);
  if (bind_to(draft.get(), address) < 0 && errno != EADDRINUSE)
    return cannot("listen on", address, errno);
  return Ok{};
}

Status check_unix(const Address& address) {
  if (const Result<bool> there = has_socket_file(address); !there) return there.error();
  const size_t slash = address.path.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "." : address.path.substr(0, std::max<size_t>(slash, 1));
  if (::access(folder.c_str(), W_OK | X_OK) < 0) return cannot("listen on", address, errno);
  return Ok{};
}

}  // namespace

bool collide(const Address& one, const Address& other) {
  constexpr Address::Family kUnix = Address::Family::unix_path;
  if (one.family == kUnix || other.family == kUnix) return one == other;
  if (one.port == 0 || one.port != other.port) return false;
  const auto takes = [](const Address& all, const Address& another) {
    const bool is_any = all.ip == decltype(all.ip){};
    return is_any && (all.family == Address::Family::ipv6 || another.family == all.family);
  };
  return one == other || takes(one, other) || takes(other, one);
}

Status check_address(const Address& address) {
  return address.family == Address::Family::unix_path ? check_unix(address) : check_tcp(address);
}

Result<std::vector<Socket>> open_listeners(const Address& address, unsigned count) {
  const bool is_unix = address.family == Address::Family::unix_path;
  CHECK(count >= 1);

  std::vector<Socket> listeners;
  Address shared = address;
  for (unsigned i = 0; i < count; ++i) {
    const Place place = i == 0 ? Place::first : Place::sibling;
    const Result<Socket> listener = !is_unix                ? open_tcp(shared, place)
                                    : place == Place::first ? open_unix(address)
                                                            : share(listeners.front(), address);
    if (!listener) {
      for (const Socket opened : listeners) ::close(opened);
      return listener.error();
    }
    listeners.push_back(*listener);
    shared.port = is_unix ? 0 : address_of(listeners.front()).port;
  }
  return listeners;
}

Result<Socket> adopt_listener(Socket socket) {
  const std::string name = "the passed-in descriptor " + std::to_string(socket);
  int type = 0;
  int is_listening = 0;
  socklen_t bytes = sizeof(int);
  if (::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &bytes) < 0)
    return Error{name + ": " + std::strerror(errno)};
  if (::getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &bytes) < 0 || !is_listening ||
      type != SOCK_STREAM)
    return Error{name + " does not listen for streams; expected ListenStream= in the socket unit"};
  const int flags = ::fcntl(socket, F_GETFL);
  if (flags < 0 || ::fcntl(socket, F_SETFL, flags | O_NONBLOCK) < 0 ||
      ::fcntl(socket, F_SETFD, FD_CLOEXEC) < 0)
    return Error{name + ": " + std::strerror(errno)};
  const bool is_tcp = address_of(socket).family != Address::Family::unix_path;
  if (is_tcp && !set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1))
    return Error{name + ": " + std::strerror(errno)};
  return socket;
}

Result<std::vector<Socket>> share_listeners(std::vector<Socket> listeners, unsigned count) {
  const size_t own = listeners.size();
  CHECK(own > 0);
  while (listeners.size() < count) {
    const Socket listener = listeners[listeners.size() % own];
    const Result<Socket> copy = share(listener, address_of(listener));
    if (!copy) return copy.error();
    listeners.push_back(*copy);
  }
  return listeners;
}

Result<std::vector<Socket>> keep_listeners(const std::vector<Socket>& listeners) {
  std::vector<Socket> kept;
  for (const Socket listener : listeners) {
    const Result<Socket> copy = share(listener, address_of(listener));
    if (copy) {
      kept.push_back(*copy);
      continue;
    }
    drop_listeners(kept);
    return copy.error();
  }
  return kept;
}

void drop_listeners(const std::vector<Socket>& listeners) {
  for (const Socket listener : listeners) ::close(listener);
}

Address address_of(Socket listener) {
  sockaddr_storage kernel{};
  socklen_t bytes = sizeof kernel;
  CHECK(::getsockname(listener, reinterpret_cast<sockaddr*>(&kernel), &bytes) == 0);
  return from_kernel(kernel, bytes);
}

void remove_socket_file(const Address& address) {
  if (address.family == Address::Family::unix_path) ::unlink(address.path.c_str());
}

}  // namespace stampede::net
