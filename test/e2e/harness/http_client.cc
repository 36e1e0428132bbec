#include "http_client.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

namespace stampede::e2e {
namespace {

using Clock = std::chrono::steady_clock;

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

const std::string* find(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers)
    if (same_name(key, name)) return &value;
  return nullptr;
}

size_t count(const Headers& headers, std::string_view name) {
  return std::count_if(headers.begin(), headers.end(),
                       [&](auto& h) { return same_name(h.first, name); });
}

// RFC 9110 section 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT".
bool is_imf_date(const std::string& text) {
  tm parsed{};
  const char* end = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parsed);
  return end != nullptr && *end == '\0' && text.size() == 29;
}

std::optional<size_t> number_of(std::string_view text) {
  size_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Status line and header fields; false when they are not what RFC 9112 describes.
bool parse_head(std::string_view head, Response* response) {
  size_t end = head.find("\r\n");
  std::string_view line = head.substr(0, end);
  if (line.size() < 13 || line.substr(0, 9) != "HTTP/1.1 " || line[12] != ' ') return false;
  auto status = number_of(line.substr(9, 3));
  if (!status) return false;
  response->status = static_cast<int>(*status);
  for (size_t at = end + 2; at < head.size(); at = end + 2) {
    end = head.find("\r\n", at);
    line = head.substr(at, end - at);
    if (line.empty()) return true;
    size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || line.find_first_of("\r\n", 0) != line.npos)
      return false;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    response->headers.emplace_back(std::string(line.substr(0, colon)), std::string(value));
  }
  return true;
}

std::string broken_promise(const Response& response) {
  // A 304 speaks of a representation that the client has: type and length are that one's (RFC 9110
  // section 15.4.5).
  if (response.status == 304 || response.status == 204)
    return count(response.headers, "Date") == 1 ? "" : "not exactly one Date";
  for (const char* name : {"Content-Type", "Content-Length", "Date"})
    if (count(response.headers, name) != 1) return std::string("not exactly one ") + name;
  if (!is_imf_date(*find(response.headers, "Date"))) return "Date is not a date";
  if (!number_of(*find(response.headers, "Content-Length")))
    return "Content-Length is not a number";
  if (find(response.headers, "Content-Type")->empty()) return "Content-Type is empty";
  return "";
}

}  // namespace

std::string Response::header(std::string_view name) const {
  const std::string* value = find(headers, name);
  return value == nullptr ? "" : *value;
}

std::string Response::code() const {
  if (status < 400) return "";
  Json refusal = json();
  refusal["message"].text();
  refusal["retryable"].truth();
  return refusal["code"].text();
}

Http::Http(Address address, milliseconds patience)
    : address_(std::move(address)), patience_(patience) {}
Http::Http(Http&& other) noexcept
    : address_(std::move(other.address_)),
      patience_(other.patience_),
      fd_(std::exchange(other.fd_, -1)),
      shrinks_receive_buffer_(other.shrinks_receive_buffer_),
      input_(std::move(other.input_)) {}
Http::~Http() {
  close();
}

Response Http::request(std::string_view method, std::string_view target, const Headers& headers,
                       std::string_view body) {
  // A kept-alive connection that the server closed meanwhile is noticed before anything is sent on
  // it.
  if (connected() && input_.empty() && has_input(milliseconds{0})) close();
  if (!connected() && !connect()) return {.error = "cannot connect"};
  if (!send(request_text(method, target, headers, body))) return {.error = "cannot send"};
  return receive(method == "HEAD");
}

Response Http::get(std::string_view target, const Headers& headers) {
  return request("GET", target, headers);
}
Response Http::head(std::string_view target, const Headers& headers) {
  return request("HEAD", target, headers);
}
Response Http::post(std::string_view target, std::string_view body, const Headers& headers) {
  return request("POST", target, headers, body);
}
Response Http::put(std::string_view target, std::string_view body, const Headers& headers) {
  return request("PUT", target, headers, body);
}

bool Http::open_socket() {
  int family = address_.unix_path.empty() ? AF_INET : AF_UNIX;
  fd_ = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return false;
  int one = 1, small = 2048;
  if (family == AF_INET) setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (shrinks_receive_buffer_) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  return true;
}

bool Http::connect() {
  close();
  if (!open_socket()) return false;
  int result;
  if (address_.unix_path.empty()) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(address_.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    result = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to);
  } else {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    address_.unix_path.copy(to.sun_path, sizeof to.sun_path - 1);
    result = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to);
  }
  int error = result == 0 ? 0 : errno;
  if (error == EINPROGRESS && wait_for(POLLOUT, Clock::now() + patience_)) {
    socklen_t size = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error != 0) close();
  return error == 0;
}

bool Http::wait_for(short events, Deadline deadline) {
  while (true) {
    auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    pollfd entry{.fd = fd_, .events = events, .revents = 0};
    int ready = poll(&entry, 1, static_cast<int>(std::max<int64_t>(left, 0)));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return false;
  }
}

bool Http::has_input(milliseconds patience) {
  return fd_ >= 0 && wait_for(POLLIN, Clock::now() + patience);
}

bool Http::send(std::string_view bytes) {
  return send_some(bytes, patience_) == bytes.size();
}

size_t Http::send_some(std::string_view bytes, milliseconds quiet) {
  size_t sent = 0;
  while (fd_ >= 0 && sent < bytes.size()) {
    ssize_t n = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n > 0) {
      sent += n;
    } else if (errno == EAGAIN) {
      if (!wait_for(POLLOUT, Clock::now() + quiet)) break;
    } else if (errno != EINTR) {
      break;
    }
  }
  return sent;
}

bool Http::read_more(Deadline deadline, std::string* error) {
  char bytes[64 * 1024];
  while (fd_ >= 0) {
    ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    if (n > 0) {
      input_.append(bytes, n);
      return true;
    }
    if (n == 0) {
      *error = "closed by the server";
      return false;
    }
    if (errno == EAGAIN) {
      if (wait_for(POLLIN, deadline)) continue;
      *error = "no answer in time";
      return false;
    }
    if (errno == EINTR) continue;
    *error = std::strerror(errno);
    return false;
  }
  *error = "not connected";
  return false;
}

Response Http::receive(bool is_head) {
  Response response;
  Deadline deadline = Clock::now() + patience_;
  size_t end;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos)
    if (!read_more(deadline, &response.error)) {
      close();
      return response;
    }
  std::string head = input_.substr(0, end + 4);
  input_.erase(0, end + 4);
  std::string problem = read_head(head, &response);
  if (!problem.empty()) FAIL_CHECK(problem << " in\n" << head);
  if (response.status == 0) {
    close();
    return {.error = problem};
  }
  if (response.status == 100) return response;
  bool has_body = !is_head && response.status != 304 && response.status != 204;
  size_t length = has_body ? number_of(response.header("Content-Length")).value_or(0) : 0;
  while (input_.size() < length)
    if (std::string error; !read_more(deadline, &error)) {
      close();
      return {.error = "body cut short: " + error};
    }
  response.body = input_.substr(0, length);
  input_.erase(0, length);
  if (same_name(response.header("Connection"), "close") && input_.empty()) close();
  return response;
}

std::string Http::receive_until_closed(std::string* error) {
  Deadline deadline = Clock::now() + patience_;
  std::string reason;
  while (read_more(deadline, &reason)) continue;
  if (error != nullptr) *error = reason == "no answer in time" ? reason : "";
  std::string all = std::exchange(input_, "");
  close();
  return all;
}

bool Http::is_closed_by_server(milliseconds patience) {
  if (!connected()) return true;
  std::string reason;
  bool more = !input_.empty() || read_more(Clock::now() + patience, &reason);
  return !more && reason != "no answer in time";
}

bool Http::is_hung_up(milliseconds patience) {
  return fd_ < 0 || wait_for(POLLRDHUP, Clock::now() + patience);
}

void Http::shutdown_write() {
  ::shutdown(fd_, SHUT_WR);
}

void Http::reset() {
  linger hard{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

void Http::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  input_.clear();
}

std::string read_head(std::string_view head, Response* response) {
  if (!parse_head(head, response)) {
    response->status = 0;
    return "malformed answer";
  }
  return response->status == 100 ? "" : broken_promise(*response);
}

std::string request_text(std::string_view method, std::string_view target, const Headers& headers,
                         std::string_view body) {
  std::string text;
  text.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\n");
  for (const auto& [name, value] : headers)
    text.append(name).append(": ").append(value).append("\r\n");
  if (!body.empty() || method == "POST" || method == "PUT") {
    if (!body.empty() && find(headers, "Content-Type") == nullptr)
      text += "Content-Type: application/json\r\n";
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  return text.append("\r\n").append(body);
}

}  // namespace stampede::e2e
