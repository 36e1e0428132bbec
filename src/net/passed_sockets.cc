#include "net/passed_sockets.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace stampede::net {
namespace {

constexpr std::string_view kFirstLine = "stampede sockets 1\n";

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

Status keep_all_over_exec(const PassedSockets& sockets, bool survives) {
  for (const auto* listeners : {&sockets.listen, &sockets.admin})
    for (const Socket socket : *listeners)
      if (Status kept = keep_over_exec(socket, survives); !kept) return kept;
  for (const PassedConnection& connection : sockets.connections)
    if (Status kept = keep_over_exec(connection.socket, survives); !kept) return kept;
  return Ok{};
}

Status write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0) return malformed(std::string("write: ") + std::strerror(errno));
    text.remove_prefix(static_cast<size_t>(written));
  }
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
  const int file = ::memfd_create("stampede-sockets", 0);
  if (file < 0) return malformed(std::string("memfd_create: ") + std::strerror(errno));
  Status done = write_all(file, text_of(sockets));
  if (done) done = keep_all_over_exec(sockets, true);
  if (done) return file;
  ::close(file);
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

}  // namespace stampede::net
