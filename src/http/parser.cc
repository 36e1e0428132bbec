#include "http/parser.h"

#include <emmintrin.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "http/bytes.h"
#include "http/names.h"

namespace stampede::http {
namespace {

constexpr unsigned kContentLengthDigitsMax = 19;
constexpr uint64_t kContentLengthMax = 1ull << 53;  // above it not even the number is believed
constexpr unsigned kChunkSizeDigitsMax = 8;
static_assert(bounds::head_bytes_max + bounds::body_bytes_max <= bounds::request_bytes_max,
              "a body of a known length always fits");
static_assert(bounds::head_bytes_max == 8192 && bounds::header_count_max == 64 &&
                  bounds::target_bytes_max == 2048 && bounds::body_bytes_max == 4096 &&
                  bounds::chunk_extension_bytes_max == 64 && bounds::trailer_bytes_max == 1024,
              "the texts of the refusals below name these numbers");

// The first byte that may not stand in a field's value, or `end`. Values are the longest part of a
// head (cookies, user agents), so sixteen bytes are looked at together.
const char* find_end_of_text(const char* p, const char* end) {
  const __m128i last_control = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i delete_byte = _mm_set1_epi8(0x7f);
  for (; end - p >= 16; p += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i controls = _mm_andnot_si128(
        _mm_cmpeq_epi8(bytes, tab), _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes));
    const int found = _mm_movemask_epi8(_mm_or_si128(controls, _mm_cmpeq_epi8(bytes, delete_byte)));
    if (found != 0) return p + __builtin_ctz(static_cast<unsigned>(found));
  }
  while (p < end && is_a(*p, kText)) ++p;
  return p;
}

// Each step consumes its part of the input and says whether to go on; if not, parsed_ holds the
// result. The bytes of a step are judged from left to right and nothing beyond them is looked at:
// so a result, once certain, is the same whatever follows.
class Parser {
 public:
  Parser(std::span<const char> input, std::span<char> body_scratch)
      : start_(input.data()), p_(start_), end_(start_ + input.size()), scratch_(body_scratch) {}

  Parsed run() {
    const bool done = within(bounds::head_bytes_max, Verdict::headers_too_large,
                             "the head is larger than 8 KiB", [this] { return head(); }) &&
                      judge_head() && body();
    if (done) {
      parsed_.status = ParseStatus::complete;
      parsed_.consumed = static_cast<size_t>(p_ - start_);
      parsed_.wants_continue = false;
    }
    return parsed_;
  }

 private:
  bool more() {
    parsed_.status = ParseStatus::need_more;
    return false;
  }
  bool refuse(Verdict refusal, const char* reason) {
    parsed_ = Parsed{};
    parsed_.status = ParseStatus::bad;
    parsed_.refusal = refusal;
    parsed_.reason = reason;
    return false;
  }
  bool refuse(const char* reason) { return refuse(Verdict::bad_request, reason); }

  // Runs a step that may see only the next `bytes_max` bytes: wanting more than that is a refusal.
  template <typename Step>
  bool within(size_t bytes_max, Verdict refusal, const char* reason, Step step) {
    const char* const window_end = p_ + std::min(bytes_max, static_cast<size_t>(end_ - p_));
    const bool is_full = static_cast<size_t>(window_end - p_) == bytes_max;
    const char* const input_end = std::exchange(end_, window_end);
    const bool done = step();
    end_ = input_end;
    if (!done && is_full && parsed_.status == ParseStatus::need_more)
      return refuse(refusal, reason);
    return done;
  }

  bool head() { return empty_line() && request_line() && header_lines(); }
  bool empty_line();
  bool request_line();
  bool target();
  bool split_target(std::string_view target);
  bool version();
  bool header_lines();
  bool header_line();
  bool field_name(std::string_view& name);
  bool field_value(Field field, std::string_view& value);
  bool take(Field field, std::string_view value);
  bool take_once(std::string_view& place, std::string_view value);
  bool take_content_length(std::string_view digits);
  void take_connection(std::string_view options);
  bool judge_head();
  bool body();
  bool sized_body();
  bool chunked_body();
  bool chunk_size(uint32_t& size);
  bool chunk_extension();
  bool token();
  bool quoted_string();
  bool trailers();
  bool line_end();

  bool has_seen(Field field) const { return (seen_ >> static_cast<unsigned>(field)) & 1; }
  void skip(ByteKind kind) {
    const char* p = p_;
    while (p < end_ && is_a(*p, kind)) ++p;
    p_ = p;
  }
  void skip_spaces() {
    while (p_ < end_ && (*p_ == ' ' || *p_ == '\t')) ++p_;
  }

  const char* const start_;
  const char* p_;
  const char* end_;
  const std::span<char> scratch_;
  uint32_t seen_ = 0;  // fields, one bit each
  unsigned header_count_ = 0;
  uint64_t content_length_ = 0;
  size_t extension_bytes_left_ = bounds::chunk_extension_bytes_max;
  bool is_known_method_ = false;
  bool is_chunked_ = false;
  bool expects_continue_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
  Parsed parsed_;
};

bool Parser::line_end() {
  if (p_ == end_) return more();
  if (*p_ == '\n') return refuse("a line ends in LF without CR");
  if (*p_ != '\r') return refuse("a byte that may not stand here");
  if (end_ - p_ < 2) return more();
  if (p_[1] != '\n') return refuse("a CR without LF");
  p_ += 2;
  return true;
}

// Some clients send a CRLF too many after a body; a server should ignore one (RFC 9112 2.2).
bool Parser::empty_line() {
  return p_ < end_ && *p_ == '\r' ? line_end() : true;
}

bool Parser::request_line() {
  const char* const name = p_;
  skip(kToken);
  if (p_ == end_) return more();
  if (*p_ != ' ' || p_ == name) return refuse("a request begins with a method and one space");
  is_known_method_ = method_of({name, p_}, parsed_.request.method);
  ++p_;
  return target() && version() && line_end();
}

bool Parser::target() {
  const char* const first = p_;
  skip(kTarget);
  const auto size = static_cast<size_t>(p_ - first);
  if (size > 0 && *first != '/' && *first != '*' && (*first | 0x20) != 'h') {
    return refuse("a target is a path or an http URL");
  }
  if (size > bounds::target_bytes_max) {
    return refuse(Verdict::uri_too_long, "the target is longer than 2 KiB");
  }
  if (p_ == end_) return more();
  if (*p_ == '#') return refuse("a target has no fragment");
  if (*p_ != ' ' || size == 0) return refuse("a target is followed by one space and the version");
  ++p_;
  return split_target({first, size});
}

// origin-form; absolute-form, which a server must accept and whose host replaces Host (RFC
// 9112 3.2.2); and "*".
bool Parser::split_target(std::string_view target) {
  Request& request = parsed_.request;
  if (target[0] != '/' && target != "*") {
    const size_t scheme_end = target.find("://");
    if (scheme_end == target.npos) return refuse("a target is a path or an http URL");
    const std::string_view scheme = target.substr(0, scheme_end);
    if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) {
      return refuse("a target is a path or an http URL");
    }
    target.remove_prefix(scheme_end + 3);
    const std::string_view authority = target.substr(0, target.find_first_of("/?"));
    if (!all_are(authority, kAuthority) || !is_authority(authority))
      return refuse("the host in the target is invalid");
    target.remove_prefix(authority.size());
  } else if (target == "*" && request.method != Method::options) {
    return refuse("only OPTIONS has the target *");
  }
  const size_t path_end = std::min(target.find('?'), target.size());
  request.path = path_end == 0 ? "/" : target.substr(0, path_end);
  if (path_end < target.size()) request.query = target.substr(path_end + 1);
  return true;
}

bool Parser::version() {
  constexpr std::string_view shape = "HTTP/0.0";
  const char* const first = p_;
  for (char expected : shape) {
    if (p_ == end_) return more();
    const bool fits = expected == '0' ? is_a(*p_, kDigit) : *p_ == expected;
    if (!fits) return refuse("a request line ends in HTTP/1.1");
    ++p_;
  }
  if (first[5] != '1' || first[7] > '1') {
    return refuse(Verdict::version_not_supported, "only HTTP/1.1 and HTTP/1.0 are served");
  }
  parsed_.request.is_http_1_0 = first[7] == '0';
  return true;
}

bool Parser::header_lines() {
  for (;;) {
    if (p_ == end_) return more();
    if (*p_ == '\r') return line_end();
    if (*p_ == ' ' || *p_ == '\t') return refuse("a header line begins with white space");
    if (header_count_++ == bounds::header_count_max) {
      return refuse(Verdict::headers_too_large, "there are more than 64 header lines");
    }
    if (!header_line()) return false;
  }
}

bool Parser::header_line() {
  std::string_view name, value;
  if (!field_name(name)) return false;
  const Field field = field_of(name);
  if (is_single(field) && has_seen(field)) return refuse("a header that may come once came twice");
  seen_ |= 1u << static_cast<unsigned>(field);
  if (has_seen(Field::content_length) && has_seen(Field::transfer_encoding)) {
    return refuse("Content-Length and Transfer-Encoding together");
  }
  return field_value(field, value) && take(field, value);
}

bool Parser::field_name(std::string_view& name) {
  const char* const first = p_;
  skip(kToken);
  if (p_ == end_) return more();
  if (*p_ != ':')
    return refuse("a header name holds a byte that is not allowed, or is not followed by a colon");
  if (p_ == first) return refuse("a header has no name");
  name = {first, p_};
  ++p_;
  return true;
}

// Consumes the line's end too. White space around the value is not part of it (RFC 9112 5.1).
bool Parser::field_value(Field field, std::string_view& value) {
  skip_spaces();
  const char* const first = p_;
  if (field == Field::content_length) {
    skip(kDigit);
  } else if (field == Field::host) {
    skip(kAuthority);
  } else {
    p_ = find_end_of_text(p_, end_);
  }
  value = {first, p_};
  // A tab behind a framing field stays and condemns it: not every parser takes it for white space
  // there.
  value = value.substr(0, value.find_last_not_of(is_framing(field) ? " " : " \t") + 1);
  while (p_ < end_ && *p_ == ' ') ++p_;
  return line_end();
}

bool Parser::take(Field field, std::string_view value) {
  Request& request = parsed_.request;
  switch (field) {
    case Field::other:
      return true;
    case Field::host:
      return is_authority(value) || refuse("the Host header is invalid");
    case Field::content_length:
      return take_content_length(value);
    case Field::transfer_encoding:
      if (request.is_http_1_0) return refuse("HTTP/1.0 has no Transfer-Encoding");
      is_chunked_ = equals_ignoring_case(value, "chunked");
      return true;
    case Field::connection:
      take_connection(value);
      return true;
    case Field::expect:
      expects_continue_ = equals_ignoring_case(value, "100-continue");
      return true;
    case Field::user_id:
      return take_once(request.user_id, value);
    case Field::authorization:
      return take_once(request.authorization, value);
    case Field::idempotency_key:
      return take_once(request.idempotency_key, value);
    case Field::signature:
      return take_once(request.signature, value);
    case Field::content_type:
      return take_once(request.content_type, value);
    case Field::if_none_match:
      if (request.if_none_match.empty()) request.if_none_match = value;
      return true;
  }
  return true;
}

bool Parser::take_once(std::string_view& place, std::string_view value) {
  place = value;
  return !value.empty() || refuse("a header that must have a value is empty");
}

bool Parser::take_content_length(std::string_view digits) {
  if (digits.empty() || digits.size() > kContentLengthDigitsMax)
    return refuse("Content-Length is not a length");
  if (digits[0] == '0' && digits.size() > 1) return refuse("Content-Length has leading zeros");
  for (char digit : digits)
    content_length_ = content_length_ * 10 + static_cast<unsigned>(digit - '0');
  if (content_length_ > kContentLengthMax) return refuse("Content-Length is not a length");
  return true;
}

void Parser::take_connection(std::string_view options) {
  while (!options.empty()) {
    const size_t comma = std::min(options.find(','), options.size());
    const std::string_view option = trim_spaces(options.substr(0, comma));
    says_close_ |= equals_ignoring_case(option, "close");
    says_keep_alive_ |= equals_ignoring_case(option, "keep-alive");
    options.remove_prefix(std::min(comma + 1, options.size()));
  }
}

// The head is complete and well-formed but for a missing Host: what is not served is refused before
// the body is read.
bool Parser::judge_head() {
  Request& request = parsed_.request;
  if (!has_seen(Field::host) && !request.is_http_1_0) return refuse("the Host header is missing");
  if (!is_known_method_) return refuse(Verdict::not_implemented, "the method is not known");
  if (has_seen(Field::transfer_encoding) && !is_chunked_) {
    return refuse(Verdict::not_implemented, "the only transfer coding is chunked");
  }
  // An expectation in HTTP/1.0 is ignored (RFC 9110 10.1.1).
  if (has_seen(Field::expect) && !expects_continue_ && !request.is_http_1_0) {
    return refuse(Verdict::expectation_failed, "the only expectation is 100-continue");
  }
  if (content_length_ > bounds::body_bytes_max) {
    return refuse(Verdict::body_too_large, "the body is larger than 4 KiB");
  }
  request.has_body = is_chunked_ || has_seen(Field::content_length);
  request.keep_alive = !says_close_ && (!request.is_http_1_0 || says_keep_alive_);
  parsed_.is_head_complete = true;
  parsed_.wants_continue = expects_continue_ && !request.is_http_1_0 && p_ == end_;
  return true;
}

bool Parser::body() {
  if (!is_chunked_) return sized_body();
  const size_t head_bytes = static_cast<size_t>(p_ - start_);
  return within(bounds::request_bytes_max - head_bytes, Verdict::body_too_large,
                "the chunks take too much space", [this] { return chunked_body(); });
}

bool Parser::sized_body() {
  if (static_cast<size_t>(end_ - p_) < content_length_) return more();
  parsed_.request.body = {p_, content_length_};
  p_ += content_length_;
  return true;
}

// RFC 9112 7.1.
bool Parser::chunked_body() {
  CHECK(scratch_.size() >= bounds::body_bytes_max);
  for (size_t body_bytes = 0;;) {
    uint32_t size = 0;
    if (!chunk_size(size) || !chunk_extension() || !line_end()) return false;
    if (size == 0) {
      parsed_.request.body = {scratch_.data(), body_bytes};
      return within(bounds::trailer_bytes_max, Verdict::headers_too_large,
                    "the trailer is larger than 1 KiB", [this] { return trailers(); });
    }
    if (size > bounds::body_bytes_max - body_bytes) {
      return refuse(Verdict::body_too_large, "the body is larger than 4 KiB");
    }
    if (static_cast<size_t>(end_ - p_) < size) return more();
    std::memcpy(scratch_.data() + body_bytes, p_, size);
    body_bytes += size;
    p_ += size;
    if (!line_end()) return false;
  }
}

bool Parser::chunk_size(uint32_t& size) {
  const char* const first = p_;
  for (; p_ < end_ && is_a(*p_, kHex); ++p_) {
    if (p_ - first == kChunkSizeDigitsMax) return refuse("a chunk size has more than 8 digits");
    const unsigned digit = *p_ <= '9' ? static_cast<unsigned>(*p_ - '0')
                                      : static_cast<unsigned>((*p_ | 0x20) - 'a' + 10);
    size = size << 4 | digit;
  }
  if (p_ == end_) return more();
  return p_ > first || refuse("a chunk has no size");
}

// [ ";" token [ "=" ( token / quoted-string ) ] ]: of RFC 9112 7.1.1 without the white space it
// calls bad, without "\" and without a second extension, because parsers in use read those
// differently. One byte more than what is allowed is looked at: it must be the CR.
bool Parser::chunk_extension() {
  const char* const first = p_;
  const auto extension = [this] {
    if (*p_ != ';') return true;
    ++p_;
    if (!token()) return false;
    if (*p_ != '=') return true;
    ++p_;
    if (p_ == end_) return more();
    return *p_ == '"' ? quoted_string() : token();
  };
  const bool done = within(extension_bytes_left_ + 1, Verdict::bad_request,
                           "chunk extensions are longer than 64 bytes", extension);
  if (done) extension_bytes_left_ -= static_cast<size_t>(p_ - first);
  return done;
}

bool Parser::token() {
  const char* const first = p_;
  skip(kToken);
  if (p_ == end_) return more();
  return p_ > first || refuse("a chunk extension is malformed");
}

bool Parser::quoted_string() {
  for (++p_; p_ < end_; ++p_) {
    if (*p_ == '"') {
      ++p_;
      return p_ < end_ || more();
    }
    if (*p_ == '\\' || !is_a(*p_, kText)) return refuse("a chunk extension is malformed");
  }
  return more();
}

// Trailer fields are bounded and dropped: merging them into the head would let a body change what
// was decided before it. Those that frame a message are refused, because other parsers obey them
// here too (RFC 9110 6.5.1 forbids to send them).
bool Parser::trailers() {
  for (;;) {
    if (p_ == end_) return more();
    if (*p_ == '\r') return line_end();
    std::string_view name, value;
    if (!field_name(name)) return false;
    if (is_framing(field_of(name))) return refuse("a trailer may not frame the message");
    if (!field_value(Field::other, value)) return false;
  }
}

}  // namespace

Parsed parse(std::span<const char> input, std::span<char> body_scratch) {
  return Parser(input, body_scratch).run();
}

}  // namespace stampede::http
