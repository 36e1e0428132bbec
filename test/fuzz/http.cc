// Requests, held against a second parser: llhttp in its strict mode, the parser of Node.js. (Debian's libhttp-parser is built
// without its strict mode: it takes a bare LF for a line's end and a space into a name.)
//
// 1. What our parser accepts, the second one accepts too, as one request with the same end, target and body: no request can
//    hide in another. Where it closes, we close.
// 2. Every cut of an input gives its result or "more": how the bytes arrive does not matter.
// 3. Nothing is read beyond the input, and no input as long as the bound of a request is unfinished.
// 4. The readers of bodies, targets and fields keep within their bounds, whatever was accepted.
//
// Inputs are the cases of the parser's own test, damaged with what requests are smuggled with.
#include <llhttp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../unit/http/parser_cases.h"
#include "http/fields.h"
#include "http/json.h"
#include "http/routes.h"
#include "promise.h"

namespace stampede::http {
namespace {

using namespace std::string_literals;
using fuzz::broken;
using Chance = std::mt19937_64;

// Our parser, on a copy of the exact size: an address sanitizer sees the first byte read beyond it.
struct Ours {
  explicit Ours(std::string_view input)
      : buffer(std::make_unique<char[]>(input.size())),
        size(input.copy(buffer.get(), input.size())) {
    parsed = parse({buffer.get(), size}, scratch);
  }
  std::unique_ptr<char[]> buffer;
  size_t size;
  std::array<char, bounds::body_bytes_max> scratch;
  Parsed parsed;
};

// What the second parser makes of the same bytes.
struct Second {
  explicit Second(std::string_view input) {
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_url = [](llhttp_t* p, const char* at, size_t length) {
      return append(self(p).target, at, length);
    };
    settings.on_body = [](llhttp_t* p, const char* at, size_t length) {
      return append(self(p).body, at, length);
    };
    settings.on_message_complete = [](llhttp_t* p) {
      Second& second = self(p);
      ++second.message_count;
      second.keeps_alive = llhttp_should_keep_alive(p) != 0;
      return 0;
    };
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = this;
    const llhttp_errno_t error = llhttp_execute(&parser, input.data(), input.size());
    // It stops behind a request that would upgrade, where we go on: the upgrade is ignored.
    is_bad = error != HPE_OK && error != HPE_PAUSED_UPGRADE;
    if (is_bad) reason = llhttp_get_error_reason(&parser);
  }

  static Second& self(llhttp_t* parser) { return *static_cast<Second*>(parser->data); }
  static int append(std::string& to, const char* at, size_t length) {
    to.append(at, length);
    return 0;
  }

  int message_count = 0;
  bool is_bad = false;
  bool keeps_alive = false;
  std::string target, body, reason;
};

// Where the second parser closes and we need not: it obeys a Connection that comes in a trailer,
// and it does not take a tab for white space in one.
bool may_stay_open(std::string_view bytes) {
  std::string lower(bytes);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  const size_t last = lower.rfind("\nconnection:");
  if (last == lower.npos) return false;
  return last > lower.find("\r\n\r\n") || lower.find('\t', last) != lower.npos;
}

// The second parser takes no byte above 0x7e in a query, and we do: it sees "x" there, so that all else is compared.
char masked(char byte) {
  return static_cast<unsigned char>(byte) >= 0x80 ? 'x' : byte;
}

void compare(const std::string& input, const Parsed& parsed) {
  const Request& request = parsed.request;
  std::string bytes = input.substr(0, parsed.consumed);
  // The first line holds no byte above 0x7e but in a query.
  for (size_t i = 0, end = bytes.find('\n', 2); i < end; ++i) bytes[i] = masked(bytes[i]);
  const Second second(bytes);
  if (second.is_bad) broken("accepted, but the second parser says: " + second.reason);
  if (second.message_count != 1) broken("one request, but the second parser sees none or several");
  if (Second(std::string_view(bytes).substr(0, bytes.size() - 1)).message_count != 0)
    broken("the second parser sees an earlier end");
  if (second.body != request.body) broken("the second parser sees another body");
  if (request.keep_alive && !second.keeps_alive && !may_stay_open(bytes))
    broken("the second parser would close");
  std::string target =
      std::string(request.path) + (request.query.empty() ? "" : "?") + std::string(request.query);
  for (char& byte : target) byte = masked(byte);
  const bool is_path = second.target.starts_with('/');
  if (is_path && second.target != target && second.target != target + "?")
    broken("the second parser sees another target");
}

void check_cuts(const std::string& input, const Parsed& parsed) {
  const std::string whole = describe(parsed);
  Chance chance(input.size());
  const size_t tries = std::min<size_t>(input.size(), 32);
  for (size_t i = 0; i < tries; ++i) {
    const size_t size = tries == input.size() ? i : chance() % input.size();
    const Ours cut(std::string_view(input).substr(0, size));
    if (cut.parsed.status == ParseStatus::need_more) continue;
    if (describe(cut.parsed) != whole)
      broken("cut at " + std::to_string(size) + " it is " + describe(cut.parsed));
  }
}

void check_readers(const Request& request) {
  const CreateBody create = parse_create(request.body);
  if (!create.error &&
      (create.quantity < 1 || create.quantity > bounds::quantity_max || create.item.empty())) {
    broken("an order beyond its bounds");
  }
  const PaymentBody payment = parse_payment(request.body);
  if (!payment.error &&
      (payment.amount < 0 || payment.amount > bounds::money_max || payment.payment_id.empty())) {
    broken("a payment beyond its bounds");
  }
  const Route found = route(request);
  if (!found.is_refused && found.wait_ms > bounds::wait_ms_max) broken("a wait beyond its bound");
  if (bearer_token(request.authorization).size() > request.authorization.size())
    broken("a token longer than its field");
  (void)is_unchanged(request, "\"0123456789abcdef\"");
}

// What requests are smuggled with.
const std::vector<std::string> kLines = {
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 1\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding:\x0b"
    "chunked\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Transfer-Encoding: ,chunked\r\n",
    "Transfer-Encoding:\r\n",
    "Content-Encoding: gzip\r\n",
    "If-None-Match: W/\"a,b\", *\r\n",
    "Host: b\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Connection: upgrade\r\nUpgrade: x\r\n",
    "Expect: 100-continue\r\n",
    "Trailer: x\r\n",
    " folded\r\n",
    "\r\n",
    "0\r\n\r\n",
    "1\r\nx\r\n",
    "5\r\nhello\r\n",
    "GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
};
const std::vector<std::string> kFragments = {
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    " ",
    "\t",
    "\0"s,
    "\x0b",
    "\x7f",
    "\x80",
    ":",
    ";",
    ",",
    "\"",
    "\\",
    "#",
    "?",
    "%",
    "0",
    "1",
    "9",
    "+",
    "-",
    "_",
    "0x",
    "00",
    "4096",
    "4097",
    "chunked",
    "HTTP/1.0",
    "HTTP/1.1",
    "http://h",
    "http://[::1]:8080/",
    "[",
    "]",
    "{",
    "|",
    "\xe7\xa5\xa8",
    "%2F",
    "%zz",
    "[1e999,\"\\ud83d\"]",
    "https://h:1/",
    "*",
    "OPTIONS",
    "CONNECT",
    "POST /v1/orders",
    "{\"item\":\"t\",\"qty\":1}",
    "\\u0069",
    "[[[[",
};

void damage(std::string& input, Chance& chance) {
  const size_t place = chance() % (input.size() + 1);
  const size_t length = std::min<size_t>(input.size() - place, 1 + chance() % 16);
  switch (chance() % 8) {
    case 0:
      input.insert(place, kFragments[chance() % kFragments.size()]);
      break;
    case 1:
      input.replace(place, length, kFragments[chance() % kFragments.size()]);
      break;
    case 2:
      input.erase(place, length);
      break;
    case 3:
      input.insert(chance() % (input.size() + 1), input.substr(place, length));
      break;
    case 4:
      if (place < input.size()) input[place] = static_cast<char>(chance());
      break;
    case 5:
      if (place < input.size()) input[place] ^= static_cast<char>(1u << chance() % 8);
      break;
    case 6:
    case 7: {  // a whole line, of its own or of another, to the place where one begins
      const size_t first = input.rfind('\n', place) + 1;
      const size_t end = input.find('\n', first);
      const std::string own = end == input.npos ? "\r\n" : input.substr(first, end + 1 - first);
      const size_t target = input.find('\n', chance() % (input.size() + 1));
      if (target == input.npos) break;
      input.insert(target + 1, chance() % 2 ? own : kLines[chance() % kLines.size()]);
      break;
    }
  }
}

// Three of four inputs begin as an accepted request, because one damage more is usually enough to
// be refused.
std::string next_input(Chance& chance) {
  static const std::vector<std::string> accepted = [] {
    std::vector<std::string> inputs;
    for (const ParserCase& parser_case : parser_cases()) {
      if (Ours(parser_case.input).parsed.status == ParseStatus::complete)
        inputs.push_back(parser_case.input);
    }
    return inputs;
  }();
  const auto& cases = parser_cases();
  std::string input = chance() % 4 != 0 ? accepted[chance() % accepted.size()]
                                        : cases[chance() % cases.size()].input;
  if (chance() % 8 == 0) input += cases[chance() % cases.size()].input;
  for (size_t left = 1 + chance() % 3; left > 0; --left) damage(input, chance);
  return input;
}

void try_input(const std::string& input) {
  const Ours ours(input);
  if (ours.parsed.status == ParseStatus::need_more && input.size() >= bounds::request_bytes_max)
    broken("unfinished beyond the bound of a request");
  check_cuts(input, ours.parsed);
  if (ours.parsed.status != ParseStatus::complete) return;
  compare(input, ours.parsed);
  check_readers(ours.parsed.request);
}

}  // namespace
}  // namespace stampede::http

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t size_max);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max,
                                          unsigned seed) {
  stampede::http::Chance chance(seed);
  if (chance() % 4 == 0) return LLVMFuzzerMutate(data, size, size_max);
  std::string input(reinterpret_cast<const char*>(data), size);
  if (input.empty() || chance() % 16 == 0)
    input = stampede::http::next_input(chance);
  else
    stampede::http::damage(input, chance);
  return input.copy(reinterpret_cast<char*>(data), size_max);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  stampede::http::try_input(std::string(stampede::fuzz::text_of(data, size)));
  return 0;
}
