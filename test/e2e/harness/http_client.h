// An HTTP/1.1 client that is stricter than any browser: every answer must carry Content-Type,
// Content-Length and Date, whatever the test asked for, and no wait is without an end. A lost
// connection is a value (status 0 and the reason), because half of the tests are about servers that
// die; an answer that breaks the contract is a failed check.
//
// One client is used by one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json.h"

namespace stampede::e2e {

using std::chrono::milliseconds;

// How long to wait for what must come; long, because the machine may be slow, and never waited out
// when all is well.
constexpr milliseconds kPatience{20'000};

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Response {
  int status = 0;     // 0: no answer came
  std::string error;  // why, when status is 0
  Headers headers;
  std::string body;

  std::string header(std::string_view name) const;  // "" if it is not there
  Json json() const { return Json::parse(body); }
  // Of a refusal: its code. Of anything else "".
  std::string code() const;
};

// Where a listener is: a port on 127.0.0.1 or the path of a Unix socket.
struct Address {
  uint16_t port = 0;
  std::string unix_path;
};

class Http {
 public:
  explicit Http(Address address, milliseconds patience = kPatience);
  Http(Http&& other) noexcept;
  ~Http();

  // One request and its answer. Connects first if there is no connection (none yet, or the server
  // closed the last).
  Response request(std::string_view method, std::string_view target, const Headers& headers = {},
                   std::string_view body = {});
  Response get(std::string_view target, const Headers& headers = {});
  Response head(std::string_view target, const Headers& headers = {});
  Response post(std::string_view target, std::string_view body = {}, const Headers& headers = {});
  Response put(std::string_view target, std::string_view body, const Headers& headers = {});

  // The parts of it, for requests that no well-behaved client would send.
  bool connect();
  bool connected() const { return fd_ >= 0; }
  bool send(std::string_view bytes);
  // Sends what the peer takes within `quiet` and returns how much that was.
  size_t send_some(std::string_view bytes, milliseconds quiet);
  Response receive(bool is_head = false);
  // Everything until the server closes; ends with an error text in `error` if it does not.
  std::string receive_until_closed(std::string* error = nullptr);
  // The server has closed, or does so now, and nothing more came.
  bool is_closed_by_server(milliseconds patience = kPatience);
  bool has_input(milliseconds patience);  // something to read, or a close, within this time
  // The server has reset or closed, even if there is input that nobody read.
  bool is_hung_up(milliseconds patience = kPatience);
  void shutdown_write();
  void reset();  // RST instead of FIN
  void close();
  void shrink_receive_buffer() { shrinks_receive_buffer_ = true; }  // before connect()

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  bool wait_for(short events, Deadline deadline);
  bool read_more(Deadline deadline, std::string* error);
  bool open_socket();

  Address address_;
  milliseconds patience_;
  int fd_ = -1;
  bool shrinks_receive_buffer_ = false;
  std::string input_;  // read and not yet consumed
};

// Reads a head (up to and with its empty line) into status and headers. What is wrong with it, or
// "": it must be what RFC 9112 describes, and every final answer has Content-Type, Content-Length
// and Date, each once and well formed.
std::string read_head(std::string_view head, Response* response);

// The bytes of one request, with Host and (for a body or a POST or PUT) Content-Length and
// Content-Type.
std::string request_text(std::string_view method, std::string_view target,
                         const Headers& headers = {}, std::string_view body = {});

}  // namespace stampede::e2e
