#include "load/scanner.h"

#include <strings.h>

#include <charconv>
#include <optional>

#include "base/hex.h"

namespace stampede::load {
namespace {

struct Head {
  unsigned status = 0;
  std::optional<size_t> content_length;
  bool closes = false;
};

// "HTTP/1.1 201 Created"
bool read_status_line(std::string_view line, Head& head) {
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || line[8] != ' ') return false;
  auto [end, problem] = std::from_chars(line.data() + 9, line.data() + 12, head.status);
  return problem == std::errc() && end == line.data() + 12 && head.status >= 200 &&
         head.status <= 599;
}

std::optional<std::string_view> value_of(std::string_view line, std::string_view name) {
  if (line.size() <= name.size() || line[name.size()] != ':') return std::nullopt;
  if (strncasecmp(line.data(), name.data(), name.size()) != 0) return std::nullopt;
  line.remove_prefix(name.size() + 1);
  while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
  return line;
}

bool read_content_length(std::string_view value, Head& head) {
  size_t length = 0;
  auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (problem != std::errc() || end != value.data() + value.size() || length > kBodyBytesMax)
    return false;
  if (head.content_length && *head.content_length != length) return false;
  head.content_length = length;
  return true;
}

bool read_field(std::string_view line, Head& head) {
  // Two letters decide for most lines that nothing here wants them.
  char first = line.empty() ? '\0' : static_cast<char>(line[0] | 0x20);
  if (first == 't') return !value_of(line, "transfer-encoding");
  if (first != 'c') return true;
  if (auto length = value_of(line, "content-length")) return read_content_length(*length, head);
  if (auto option = value_of(line, "connection"))
    head.closes |= option->size() == 5 && strncasecmp(option->data(), "close", 5) == 0;
  return true;
}

// `text` ends with the CRLF of the last field.
bool read_head(std::string_view text, Head& head) {
  size_t end = text.find("\r\n");
  if (!read_status_line(text.substr(0, end), head)) return false;
  for (text.remove_prefix(end + 2); !text.empty(); text.remove_prefix(end + 2)) {
    end = text.find("\r\n");
    if (!read_field(text.substr(0, end), head)) return false;
  }
  return head.content_length.has_value();
}

// The text after `"name":`, up to the end of the body.
std::string_view behind(std::string_view body, std::string_view quoted_name) {
  size_t at = body.find(quoted_name);
  if (at == body.npos) return {};
  body.remove_prefix(at + quoted_name.size());
  while (!body.empty() && (body.front() == ' ' || body.front() == ':')) body.remove_prefix(1);
  return body;
}

std::string_view text_behind(std::string_view body, std::string_view quoted_name) {
  body = behind(body, quoted_name);
  if (body.empty() || body.front() != '"') return {};
  size_t end = body.find('"', 1);
  return end == body.npos ? std::string_view{} : body.substr(1, end - 1);
}

template <typename Number>
void read_number(std::string_view text, Number& number) {
  std::from_chars(text.data(), text.data() + text.size(), number);
}

void read_order(std::string_view body, Reply& reply) {
  reply.state = text_behind(body, "\"state\"");
  reply.currency = text_behind(body, "\"currency\"");
  reply.is_replayed = behind(body, "\"replayed\"").starts_with("true");
  read_number(behind(body, "\"amount\""), reply.amount);
}

void read_refusal(std::string_view body, Reply& reply) {
  reply.code = text_behind(body, "\"code\"");
  reply.is_retryable = behind(body, "\"retryable\"").starts_with("true");
  read_number(behind(body, "\"retry_after_ms\""), reply.retry_after_ms);
}

void read_body(std::string_view body, Reply& reply) {
  reply.order_id = parse_hex64(text_behind(body, "\"order_id\"")).value_or(0);
  reply.status < 300 ? read_order(body, reply) : read_refusal(body, reply);
}

}  // namespace

Scan scan_answer(std::string_view bytes) {
  constexpr Scan kNeedMore{.result = Scan::Result::need_more};
  constexpr Scan kMalformed{.result = Scan::Result::malformed};
  size_t blank_line = bytes.substr(0, kHeadBytesMax).find("\r\n\r\n");
  if (blank_line == bytes.npos) return bytes.size() < kHeadBytesMax ? kNeedMore : kMalformed;

  Head head;
  if (!read_head(bytes.substr(0, blank_line + 2), head)) return kMalformed;
  size_t total = blank_line + 4 + *head.content_length;
  if (bytes.size() < total) return kNeedMore;

  Scan scan{.result = Scan::Result::complete, .bytes = total};
  scan.reply.status = head.status;
  scan.reply.closes = head.closes;
  read_body(bytes.substr(blank_line + 4, *head.content_length), scan.reply);
  return scan;
}

}  // namespace stampede::load
