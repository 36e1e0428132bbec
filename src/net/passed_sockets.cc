#include "net/passed_sockets.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <span>
#include <utility>

#include "base/write_all.h"

namespace stampede::net {
namespace {

constexpr std::string_view kFirstLine = "stampede sockets 1\n";
constexpr size_t kDescriptorsMax = 253;  // of one message (SCM_MAX_FD)

Error malformed(std::string_view what) {
  return {"passed sockets: " + std::string(what)};
}

// Takes a line and its newline off the front.
std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::exchange(text, {});
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

// Takes a word and the space behind it off the front.
std::string_view take_word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

template <typename Number>
bool take_number(std::string_view& line, Number& number) {
  const std::string_view word = take_word(line);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return !word.empty() && error == std::errc{} && end == word.data() + word.size() && number >= 0;
}

// One line; the bytes of a connection's input are still to come.
bool parse_line(std::string_view line, PassedSockets& sockets, std::vector<size_t>& input_bytes) {
  const std::string_view kind = take_word(line);
  if (kind == "since") return take_number(line, sockets.since_ns) && line.empty();
  if (kind == "files") {
    int listen = 0, admin = 0;
    const bool are_numbers = take_number(line, listen) && take_number(line, admin);
    sockets.owns_listen = listen == 1;
    sockets.owns_admin = admin == 1;
    return are_numbers && listen <= 1 && admin <= 1 && line.empty();
  }
  Socket socket = kNoSocket;
  if (!take_number(line, socket)) return false;
  if (kind == "listen" || kind == "admin") {
    (kind == "listen" ? sockets.listen : sockets.admin).push_back(socket);
    return line.empty();
  }
  if (kind != "public" && kind != "operator") return false;
  sockets.connections.push_back({.socket = socket, .is_public = kind == "public", .input = {}});
  return take_number(line, input_bytes.emplace_back()) && line.empty();
}

Status keep_over_exec(Socket socket, bool survives) {
  if (::fcntl(socket, F_SETFD, survives ? 0 : FD_CLOEXEC) == 0) return Ok{};
  return malformed("descriptor " + std::to_string(socket) + ": " + std::strerror(errno));
}

// All of them, in the order of the lines.
std::vector<Socket> descriptors_of(const PassedSockets& sockets) {
  std::vector<Socket> all = sockets.listen;
  all.insert(all.end(), sockets.admin.begin(), sockets.admin.end());
  for (const PassedConnection& connection : sockets.connections) all.push_back(connection.socket);
  return all;
}

// The same list under other numbers.
void rename_descriptors(PassedSockets& sockets, std::span<const Socket> numbers) {
  size_t at = 0;
  for (auto* listeners : {&sockets.listen, &sockets.admin})
    for (Socket& socket : *listeners) socket = numbers[at++];
  for (PassedConnection& connection : sockets.connections) connection.socket = numbers[at++];
}

Status keep_all_over_exec(const PassedSockets& sockets, bool survives) {
  for (const Socket socket : descriptors_of(sockets))
    if (Status kept = keep_over_exec(socket, survives); !kept) return kept;
  return Ok{};
}

Result<std::string> read_whole(int file) {
  std::string text;
  char bytes[64 * 1024];
  off_t at = 0;
  while (true) {
    const ssize_t size = ::pread(file, bytes, sizeof bytes, at);
    if (size < 0) return malformed(std::string("read: ") + std::strerror(errno));
    if (size == 0) return text;
    text.append(bytes, static_cast<size_t>(size));
    at += size;
  }
}

// The list in a file in memory.
Result<int> file_of(const PassedSockets& sockets) {
  const int file = ::memfd_create("stampede-sockets", 0);
  if (file < 0) return malformed(std::string("memfd_create: ") + std::strerror(errno));
  const std::string text = text_of(sockets);
  if (const int error = write_all(file, 0, std::as_bytes(std::span(text))); error != 0) {
    ::close(file);
    return malformed(std::string("write: ") + std::strerror(error));
  }
  return file;
}

// One message with room for descriptors, which is sent or received.
class DescriptorMessage {
 public:
  explicit DescriptorMessage(std::span<const Socket> descriptors = {}) {
    header_.msg_iov = &bytes_;
    header_.msg_iovlen = 1;
    header_.msg_control = control_;
    header_.msg_controllen = sizeof control_;
    if (!descriptors.empty()) put(descriptors);
  }
  DescriptorMessage(const DescriptorMessage&) = delete;
  msghdr* header() { return &header_; }

  // What was received.
  std::vector<Socket> descriptors() {
    const cmsghdr* const control = CMSG_FIRSTHDR(&header_);
    if (control == nullptr || control->cmsg_type != SCM_RIGHTS) return {};
    std::vector<Socket> all((control->cmsg_len - CMSG_LEN(0)) / sizeof(Socket));
    std::memcpy(all.data(), CMSG_DATA(control), all.size() * sizeof(Socket));
    return all;
  }

 private:
  void put(std::span<const Socket> descriptors) {
    header_.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const control = CMSG_FIRSTHDR(&header_);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(control), descriptors.data(), descriptors.size_bytes());
  }

  char byte_ = 0;
  iovec bytes_{.iov_base = &byte_, .iov_len = 1};
  alignas(cmsghdr) char control_[CMSG_SPACE(kDescriptorsMax * sizeof(Socket))] = {};
  msghdr header_{};
};

// Waits for the answer, so that few descriptors are under way at any moment: the kernel counts them against a limit.
Status send_some(int channel, std::span<const Socket> descriptors) {
  DescriptorMessage message(descriptors);
  char answer = 0;
  if (::sendmsg(channel, message.header(), MSG_NOSIGNAL) == 1 &&
      ::recv(channel, &answer, 1, 0) == 1)
    return Ok{};
  return malformed(std::string("could not be sent: ") + std::strerror(errno));
}

Result<std::vector<Socket>> receive_some(int channel) {
  DescriptorMessage message;
  if (::recvmsg(channel, message.header(), MSG_CMSG_CLOEXEC) == 1 &&
      (message.header()->msg_flags & MSG_CTRUNC) == 0 && ::send(channel, "", 1, MSG_NOSIGNAL) == 1)
    return message.descriptors();
  return malformed("did not all come");
}

}  // namespace

std::string text_of(const PassedSockets& sockets) {
  std::string text(kFirstLine);
  const auto line = [&](std::string_view kind, int64_t number) {
    text.append(kind).append(" ").append(std::to_string(number));
  };
  line("since", sockets.since_ns);
  text += '\n';
  line("files", sockets.owns_listen ? 1 : 0);
  text += sockets.owns_admin ? " 1\n" : " 0\n";
  for (const Socket socket : sockets.listen) line("listen", socket), text += '\n';
  for (const Socket socket : sockets.admin) line("admin", socket), text += '\n';
  for (const PassedConnection& connection : sockets.connections) {
    line(connection.is_public ? "public" : "operator", connection.socket);
    text.append(" ").append(std::to_string(connection.input.size())).append("\n");
  }
  text += '\n';
  for (const PassedConnection& connection : sockets.connections) text += connection.input;
  return text;
}

Result<PassedSockets> parse_passed_sockets(std::string_view text) {
  if (!text.starts_with(kFirstLine))
    return malformed("of a version that this binary does not know");
  text.remove_prefix(kFirstLine.size());
  PassedSockets sockets;
  std::vector<size_t> input_bytes;
  while (true) {
    if (text.empty()) return malformed("the list has no end");
    const std::string_view line = take_line(text);
    if (line.empty()) break;
    if (!parse_line(line, sockets, input_bytes))
      return malformed("a line that is not one: " + std::string(line));
  }
  for (size_t i = 0; i < input_bytes.size(); ++i) {
    if (text.size() < input_bytes[i]) return malformed("a connection's input is not all there");
    sockets.connections[i].input = text.substr(0, input_bytes[i]);
    text.remove_prefix(input_bytes[i]);
  }
  if (!text.empty()) return malformed("more input than there are connections for");
  return sockets;
}

Result<int> pass_on(const PassedSockets& sockets) {
  const Result<int> file = file_of(sockets);
  if (!file) return file;
  const Status done = keep_all_over_exec(sockets, true);
  if (done) return file;
  ::close(*file);
  return done.error();
}

Result<PassedSockets> take_over(int file) {
  const Result<std::string> text = read_whole(file);
  if (!text) return text.error();
  ::close(file);
  Result<PassedSockets> sockets = parse_passed_sockets(*text);
  if (!sockets) return sockets;
  if (Status kept = keep_all_over_exec(*sockets, false); !kept) return kept.error();
  return sockets;
}

Status send_sockets(int channel, const PassedSockets& sockets) {
  const Result<int> file = file_of(sockets);
  if (!file) return file.error();
  Status sent = send_some(channel, std::span(&*file, 1));
  const std::vector<Socket> all = descriptors_of(sockets);
  for (size_t at = 0; sent && at < all.size(); at += kDescriptorsMax)
    sent =
        send_some(channel, std::span(all).subspan(at, std::min(kDescriptorsMax, all.size() - at)));
  ::close(*file);
  return sent;
}

Result<PassedSockets> receive_sockets(int channel) {
  const Result<std::vector<Socket>> file = receive_some(channel);
  if (!file) return file.error();
  if (file->size() != 1) return malformed("a list was expected");
  const Result<std::string> text = read_whole(file->front());
  ::close(file->front());
  if (!text) return text.error();
  Result<PassedSockets> sockets = parse_passed_sockets(*text);
  if (!sockets) return sockets;
  const size_t expected = descriptors_of(*sockets).size();
  std::vector<Socket> all;
  while (all.size() < expected) {
    const Result<std::vector<Socket>> some = receive_some(channel);
    if (!some) return some.error();
    if (some->empty() || all.size() + some->size() > expected)
      return malformed("not those of the list");
    all.insert(all.end(), some->begin(), some->end());
  }
  rename_descriptors(*sockets, all);
  return sockets;
}

}  // namespace stampede::net
