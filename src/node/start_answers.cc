#include "node/start_answers.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
#include "bounds.h"
#include "http/response.h"
#include "net/listener.h"

namespace stampede::node {
namespace {

constexpr int kInQueueMs = 500;
constexpr int kLookMs = 100;  // for clients that are late
constexpr int64_t kPatienceNs = kSecond;
constexpr size_t kClientsMax = 64;

int64_t now_ns() {
  return SystemClock().now().boot_ns;
}

struct Page {
  http::StatusCode status = http::StatusCode::unavailable;
  std::string body;
};

Page page_of(const http::Request& request, const Progress& progress) {
  const std::optional<Progress::Look> look = progress.look();
  if (request.path != "/healthz") {
    const std::string how_far = look ? ": " + text_of(*look) : "";
    return {.body = "{\"ready\":false,\"reasons\":[\"starting" + how_far + "\"],\"warnings\":[]}"};
  }
  Page page{.status = http::StatusCode::ok, .body = R"({"ok":true,"starting":")"};
  page.body.append(look ? look->what : "opening the data directory").append("\"");
  if (look) page.body += ",\"percent\":" + std::to_string(static_cast<int>(look->percent));
  if (look && look->seconds_left)
    page.body +=
        ",\"seconds_left\":" + std::to_string(static_cast<int64_t>(std::ceil(*look->seconds_left)));
  page.body += '}';
  return page;
}

}  // namespace

std::unique_ptr<StartAnswers> StartAnswers::open(const net::Address& address,
                                                 const Progress& progress) {
  const Result<std::vector<net::Socket>> opened = net::open_listeners(address, 1);
  if (!opened) return nullptr;
  return std::unique_ptr<StartAnswers>(new StartAnswers(*opened, address, progress));
}

std::unique_ptr<StartAnswers> StartAnswers::at(const std::vector<net::Socket>& passed,
                                               const Progress& progress) {
  return std::unique_ptr<StartAnswers>(new StartAnswers(passed, std::nullopt, progress));
}

StartAnswers::StartAnswers(std::vector<net::Socket> listeners, std::optional<net::Address> own,
                           const Progress& progress)
    : listeners_(std::move(listeners)),
      own_(std::move(own)),
      progress_(progress),
      end_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      thread_(start_thread("the answers of a start", [this] { run(); })) {
  CHECK(end_ >= 0);
}

StartAnswers::~StartAnswers() {
  constexpr uint64_t one = 1;
  CHECK(::write(end_, &one, sizeof one) == sizeof one);
  thread_.join();
  ::close(end_);
  for (const Client& client : clients_) ::close(client.socket);
  if (!own_) return;
  for (const net::Socket listener : listeners_) ::close(listener);
  net::remove_socket_file(*own_);
}

void StartAnswers::run() {
  if (!own_ && is_ended_within(kInQueueMs)) return;
  for (;;) {
    std::vector<pollfd> sockets = waits();
    ::poll(sockets.data(), sockets.size(), clients_.empty() ? -1 : kLookMs);
    const auto has_event = [&](net::Socket socket) {
      return std::ranges::any_of(
          sockets, [&](const pollfd& wait) { return wait.fd == socket && wait.revents != 0; });
    };
    if (has_event(end_)) return;
    std::erase_if(clients_,
                  [&](Client& client) { return has_event(client.socket) && is_served(client); });
    send_away_late();
    for (const net::Socket listener : listeners_)
      if (has_event(listener)) take_client(listener);
  }
}

bool StartAnswers::is_ended_within(int wait_ms) const {
  pollfd wait = {.fd = end_, .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, wait_ms) > 0;
}

// Whom there is no room for waits in the queue.
std::vector<pollfd> StartAnswers::waits() const {
  std::vector<pollfd> waits = {{.fd = end_, .events = POLLIN, .revents = 0}};
  for (const Client& client : clients_)
    waits.push_back({.fd = client.socket, .events = POLLIN, .revents = 0});
  if (clients_.size() + listeners_.size() > kClientsMax) return waits;
  for (const net::Socket listener : listeners_)
    waits.push_back({.fd = listener, .events = POLLIN, .revents = 0});
  return waits;
}

void StartAnswers::take_client(net::Socket listener) {
  const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket < 0) return;
  clients_.push_back({.socket = socket, .leave_by_ns = now_ns() + kPatienceNs, .input = {}});
}

void StartAnswers::send_away_late() {
  std::erase_if(clients_, [now = now_ns()](const Client& client) {
    return now > client.leave_by_ns && ::close(client.socket) == 0;
  });
}

// True when it is answered or gone, and its socket closed.
bool StartAnswers::is_served(Client& client) const {
  std::array<char, bounds::head_bytes_max> piece;
  std::array<char, bounds::body_bytes_max> scratch;
  const ssize_t got = ::read(client.socket, piece.data(), piece.size() - client.input.size());
  if (got < 0 && errno == EAGAIN) return false;
  if (got > 0) {
    client.input.append(piece.data(), static_cast<size_t>(got));
    const http::Parsed parsed = http::parse(client.input, scratch);
    const bool has_room = client.input.size() < piece.size();
    if (parsed.status == http::ParseStatus::need_more && has_room) return false;
    if (parsed.status == http::ParseStatus::complete) answer(client, parsed.request);
  }
  ::close(client.socket);
  return true;
}

void StartAnswers::answer(const Client& client, const http::Request& request) const {
  http::DateText date;
  date.refresh(SystemClock().now().wall_ns);
  const Page page = page_of(request, progress_);
  std::array<char, 2048> output;
  const size_t bytes =
      http::render(page.status, http::kJson, "Cache-Control: no-store\r\n", page.body,
                   {.date = date,
                    .connection = http::ConnectionOption::close,
                    .is_head = request.method == http::Method::head},
                   output);
  [[maybe_unused]] const ssize_t written =
      ::send(client.socket, output.data(), bytes, MSG_NOSIGNAL);
}

}  // namespace stampede::node
