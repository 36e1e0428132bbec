#include "fake_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"
#include "base/hex.h"
#include "net/listener.h"

namespace stampede::load {
namespace {

std::string field_of(const std::string& head, const std::string& name) {
  size_t at = head.find("\r\n" + name + ": ");
  if (at == head.npos) return "";
  at += name.size() + 4;
  return head.substr(at, head.find("\r\n", at) - at);
}

std::vector<net::Socket> open_one() {
  auto listeners = net::open_listeners(*net::parse_address("127.0.0.1:0"), 1);
  CHECK(bool(listeners));
  return *listeners;
}

}  // namespace

FakeServer::FakeServer(std::function<FakeReply(const FakeRequest&)> respond)
    : respond_(std::move(respond)), listener_(open_one()[0]), address_(net::address_of(listener_)) {
  CHECK(pipe(stop_) == 0);
  thread_ = std::thread([this] { serve(); });
}

FakeServer::~FakeServer() {
  close(stop_[1]);
  thread_.join();
  for (auto& [socket, client] : clients_) close(socket);
  close(stop_[0]);
  close(listener_);
}

void FakeServer::serve() {
  for (;;) {
    std::vector<pollfd> watched = {{stop_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (auto& [socket, client] : clients_)
      watched.push_back(
          {socket, static_cast<short>(client.pieces.empty() ? POLLIN : POLLIN | POLLOUT), 0});
    poll(watched.data(), watched.size(), -1);
    if (watched[0].revents != 0) return;
    if (watched[1].revents != 0) accept_client();
    for (size_t i = 2; i < watched.size(); ++i) {
      auto [socket, events, seen] = watched[i];
      Client& client = clients_[socket];
      bool stays = (seen & (POLLIN | POLLHUP | POLLERR)) == 0 || read_from(socket, client);
      if (stays && (seen & POLLOUT) != 0) stays = write_piece(socket, client);
      if (stays) continue;
      close(socket);
      clients_.erase(socket);
    }
  }
}

void FakeServer::accept_client() {
  int socket = accept(listener_, nullptr, nullptr);
  if (socket < 0) return;
  const unsigned number = accepted_++;
  if (clients_.size() >= clients_max_) {
    close(socket);
    return;
  }
  int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  clients_[socket].number = number;
}

bool FakeServer::read_from(int socket, Client& client) {
  char buffer[16 * 1024];
  ssize_t got = read(socket, buffer, sizeof buffer);
  if (got <= 0) return false;
  client.input.append(buffer, static_cast<size_t>(got));
  take_requests(client);
  return true;
}

bool FakeServer::write_piece(int socket, Client& client) {
  std::string piece = client.pieces.front();
  client.pieces.erase(client.pieces.begin());
  if (send(socket, piece.data(), piece.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(piece.size()))
    return false;
  return !client.pieces.empty() || !client.hangs_up;
}

void FakeServer::take_requests(Client& client) {
  for (size_t end;
       !client.hangs_up && (end = client.input.find("\r\n\r\n")) != std::string::npos;) {
    std::string head = client.input.substr(0, end + 2);
    size_t length = std::stoul("0" + field_of(head, "Content-Length"));
    if (client.input.size() < end + 4 + length) return;
    FakeRequest request{.line = head.substr(0, head.find("\r\n")),
                        .user = field_of(head, "X-User-Id"),
                        .key = field_of(head, "Idempotency-Key"),
                        .authorization = field_of(head, "Authorization"),
                        .signature = field_of(head, "Stampede-Signature"),
                        .body = client.input.substr(end + 4, length),
                        .connection = client.number};
    client.input.erase(0, end + 4 + length);
    FakeReply reply = respond_(request);
    client.pieces.insert(client.pieces.end(), reply.pieces.begin(), reply.pieces.end());
    client.hangs_up = reply.hangs_up;
  }
}

std::string http_answer(const std::string& status, const std::string& body,
                        const std::string& fields) {
  return "HTTP/1.1 " + status + "\r\n" + fields + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

std::string FakeSale::answer(const FakeRequest& request) {
  std::string who = request.user + "/" + request.key;
  bool is_known = orders_.contains(who);
  if (!is_known && orders_.size() == stock_)
    return http_answer("409 Conflict", R"({"code":"sold_out","message":"gone","retryable":false})");
  uint64_t id = orders_.try_emplace(who, orders_.size() + 1).first->second;
  char text[kHex64Bytes];
  render_hex64(id, text);
  std::string order = "{\"order_id\":\"" + std::string(text, sizeof text) +
                      "\",\"state\":\"reserved\",\"amount\":55350,\"currency\":\"CNY\"";
  return is_known ? http_answer("200 OK", order + ",\"replayed\":true}")
                  : http_answer("201 Created", order + "}");
}

}  // namespace stampede::load
