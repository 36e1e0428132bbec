#include "load/operator_client.h"

#include <simdjson.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace stampede::load {
namespace {

constexpr int kDeadlineSeconds = 10;
constexpr size_t kResponseBytesMax = 4 * 1024 * 1024;  // far above a status of all shards

using simdjson::dom::element;

class BlockingSocket {
 public:
  explicit BlockingSocket(int family) : socket_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    timeval deadline{.tv_sec = kDeadlineSeconds, .tv_usec = 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof deadline);
  }
  ~BlockingSocket() {
    if (socket_ >= 0) ::close(socket_);
  }
  BlockingSocket(const BlockingSocket&) = delete;
  BlockingSocket& operator=(const BlockingSocket&) = delete;

  bool connect(const sockaddr_storage& address, uint32_t bytes) {
    return socket_ >= 0 &&
           ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), bytes) == 0;
  }
  bool send_all(std::string_view bytes) {
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  bool receive_all(std::string& into) {  // up to the end that the server makes
    char buffer[16 * 1024];
    while (into.size() < kResponseBytesMax) {
      ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
      if (got == 0) return true;
      if (got < 0) return false;
      into.append(buffer, static_cast<size_t>(got));
    }
    return false;
  }

 private:
  int socket_;
};

}  // namespace

Result<std::string> OperatorClient::get(std::string_view path) const {
  sockaddr_storage address;
  uint32_t bytes = net::to_kernel(address_, address);
  BlockingSocket socket(address.ss_family);
  std::string where = "operators' listener at " + net::text_of(address_);
  const bool is_unix = address_.family == net::Address::Family::unix_path;
  const std::string host = is_unix ? "localhost" : net::text_of(address_);
  std::string request =
      "GET " + std::string(path) + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
  std::string response;
  if (!socket.connect(address, bytes))
    return Error{where + ": " + std::strerror(errno) + " (--admin names it)"};
  if (!socket.send_all(request) || !socket.receive_all(response))
    return Error{where + ": no answer to " + std::string(path) + ": " + std::strerror(errno)};
  size_t body = response.find("\r\n\r\n");
  if (!response.starts_with("HTTP/1.1 200") || body == response.npos)
    return Error{where + ": " + std::string(path) + " says '" +
                 response.substr(0, response.find('\r')) + "'"};
  return response.substr(body + 4);
}

Result<ItemAudit> OperatorClient::audit(std::string_view item) const {
  // Without the code it is a page of the first thousand items.
  Result<std::string> body = get("/admin/audit?item=" + std::string(item));
  if (!body) return body.error();
  return parse_audit(*body, item);
}

Result<uint64_t> OperatorClient::drainer_lag_records() const {
  Result<std::string> body = get("/admin/status");
  if (!body) return body.error();
  return parse_drainer_lag(*body);
}

Result<ItemAudit> parse_audit(std::string_view json, std::string_view item) {
  simdjson::dom::parser parser;
  simdjson::dom::array items;
  if (parser.parse(simdjson::padded_string(json))["items"].get(items))
    return Error{"/admin/audit holds no list of items"};
  for (element entry : items) {
    std::string_view code;
    if (entry["item"].get(code) || code != item) continue;
    ItemAudit audit;
    if (entry["total"].get(audit.total) || entry["free"].get(audit.free) ||
        entry["leased"].get(audit.leased) || entry["reserved"].get(audit.reserved) ||
        entry["paid"].get(audit.paid) || entry["ok"].get(audit.ok))
      return Error{"/admin/audit lacks a figure for item '" + std::string(item) + "'"};
    if (entry["elsewhere"].get(audit.elsewhere))
      audit.elsewhere = 0;  // only a shared ledger has it
    return audit;
  }
  return Error{"/admin/audit does not know the item '" + std::string(item) + "'"};
}

Result<uint64_t> parse_drainer_lag(std::string_view json) {
  simdjson::dom::parser parser;
  uint64_t lag = 0;
  if (parser.parse(simdjson::padded_string(json))["drainer"]["lag_records"].get(lag))
    return Error{"/admin/status holds no drainer.lag_records"};
  return lag;
}

}  // namespace stampede::load
