#include "node/start_answers.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cmath>

#include "base/clock.h"
#include "base/thread.h"
#include "bounds.h"
#include "http/parser.h"
#include "http/response.h"
#include "net/listener.h"

namespace stampede::node {
namespace {

constexpr int kLookMs = 50;
constexpr std::chrono::milliseconds kInQueue{500};
constexpr timeval kPatience{.tv_sec = 1, .tv_usec = 0};

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
      thread_(start_thread("the answers of a start", [this] { run(); })) {}

StartAnswers::~StartAnswers() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  ends_.notify_one();
  thread_.join();
  if (!own_) return;
  for (const net::Socket listener : listeners_) ::close(listener);
  net::remove_socket_file(*own_);
}

void StartAnswers::run() {
  if (!own_ && !leave_in_queue()) return;
  std::vector<pollfd> waits;
  for (const net::Socket listener : listeners_)
    waits.push_back({.fd = listener, .events = POLLIN, .revents = 0});
  while (true) {
    if (::poll(waits.data(), waits.size(), kLookMs) > 0)
      for (const pollfd& wait : waits)
        if (wait.revents != 0) take_client(wait.fd);
    const std::lock_guard lock(mutex_);
    if (is_ending_) return;
  }
}

// False when the start was quicker.
bool StartAnswers::leave_in_queue() {
  std::unique_lock lock(mutex_);
  return !ends_.wait_for(lock, kInQueue, [this] { return is_ending_; });
}

void StartAnswers::take_client(net::Socket listener) const {
  const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  answer(client);
  ::close(client);
}

void StartAnswers::answer(int client) const {
  ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  std::array<char, bounds::head_bytes_max> input;
  std::array<char, bounds::body_bytes_max> scratch;
  size_t size = 0;
  http::Parsed parsed;
  while (parsed.status == http::ParseStatus::need_more && size < input.size()) {
    const ssize_t got = ::read(client, input.data() + size, input.size() - size);
    if (got <= 0) return;
    size += static_cast<size_t>(got);
    parsed = http::parse(std::span(input).first(size), scratch);
  }
  if (parsed.status != http::ParseStatus::complete) return;
  http::DateText date;
  date.refresh(SystemClock().now().wall_ns);
  const Page page = page_of(parsed.request, progress_);
  std::array<char, 2048> output;
  const size_t bytes =
      http::render(page.status, http::kJson, "Cache-Control: no-store\r\n", page.body,
                   {.date = date,
                    .connection = http::ConnectionOption::close,
                    .is_head = parsed.request.method == http::Method::head},
                   output);
  [[maybe_unused]] const ssize_t written = ::send(client, output.data(), bytes, MSG_NOSIGNAL);
}

}  // namespace stampede::node
