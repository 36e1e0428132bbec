#include "http/parser.h"

#include <emmintrin.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "http/bytes.h"
#include "http/known_name.h"
#include "http/names.h"
#include "http/target.h"

namespace stampede::http {
namespace {

constexpr unsigned kContentLengthDigitsMax = 19;
constexpr uint64_t kContentLengthMax = 1ull << 53;  // above it not even the number is believed
constexpr unsigned kChunkSizeDigitsMax = 8;
constexpr ptrdiff_t kPortDigitsMax = 5;
constexpr size_t kMethodBytesMax = 32;  // longer than any that HTTP knows
constexpr const char* kUnknownMethod = "the method is not known";
constexpr const char* kBadTarget = "a target is a path or an http URL";
constexpr auto kPathOrAuthority = static_cast<ByteKind>(kPath | kAuthority);
constexpr const char* kBadTargetByte = "a target holds a byte that must be percent-encoded";
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
  return end_of(p, end, kText);
}

// The first byte that is neither a letter, a digit, a dot nor a hyphen; in the last fifteen bytes it is not looked for. Ranges
// are told by one comparison each: what lies below a range is large once its first is taken off.
const char* find_end_of_plain_host(const char* p, const char* end) {
  const auto is_in = [](__m128i bytes, char first, char last) {
    const __m128i above = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
    const __m128i size = _mm_set1_epi8(static_cast<char>(last - first));
    return _mm_cmpeq_epi8(_mm_min_epu8(above, size), above);
  };
  for (; end - p >= 16; p += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i letters = is_in(_mm_or_si128(bytes, _mm_set1_epi8(' ')), 'a', 'z');
    const __m128i plain =
        _mm_or_si128(letters, _mm_or_si128(is_in(bytes, '0', '9'), is_in(bytes, '-', '.')));
    const unsigned found = static_cast<unsigned>(_mm_movemask_epi8(plain)) ^ 0xffff;
    if (found != 0) return p + __builtin_ctz(found);
  }
  return p;
}

// Each step consumes its part of the input and says whether to go on; if not, parsed_ holds the
// result. The bytes of a step are judged from left to right and nothing beyond them is looked at:
// so a result, once certain, is the same whatever follows.
class Parser {
 public:
  Parser(std::span<const char> input, std::span<char> body_scratch, Parsed& parsed)
      : start_(input.data()),
        p_(start_),
        end_(start_ + input.size()),
        scratch_(body_scratch),
        parsed_(parsed) {}

  void run() {
    const bool done = within(bounds::head_bytes_max, Verdict::headers_too_large,
                             "the head is larger than 8 KiB", [this] { return head(); }) &&
                      judge_head() && body();
    if (done) {
      parsed_.status = ParseStatus::complete;
      parsed_.consumed = static_cast<size_t>(p_ - start_);
      parsed_.wants_continue = false;
    }
  }

 private:
  bool more() {
    parsed_.status = ParseStatus::need_more;
    return false;
  }
  // What had been asked for and by which page stays: the log names the one, and the other may read the refusal.
  bool refuse(Verdict refusal, const char* reason) {
    const Request asked = std::exchange(parsed_, Parsed{}).request;
    parsed_.request = {
        .method = asked.method, .path = asked.path, .query = asked.query, .origin = asked.origin};
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
  bool usual_request_line();
  bool request_line();
  bool target();
  bool take_target(std::string_view target);
  bool take_authority(std::string_view& target);
  bool version();
  bool header_lines();
  bool header_line();
  bool plain_host();
  bool field_name(Field& field);
  bool field_value(Field field, std::string_view& value);
  bool take(Field field, std::string_view value);
  bool take_content_length(std::string_view digits);
  bool take_transfer_encoding(std::string_view codings);
  bool take_transfer_coding(std::string_view coding);
  void take_connection(std::string_view options);
  void take_expect(std::string_view expectations);
  void take_content_encoding(std::string_view codings);
  bool judge_framing();
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
  void skip(ByteKind kind) { p_ = end_of(p_, end_, kind); }
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
  bool is_chunked_ = false;        // the last transfer coding so far
  bool has_other_coding_ = false;  // besides chunked
  bool expects_continue_ = false;
  bool expects_other_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
  Parsed& parsed_;
};

bool Parser::line_end() {
  if (end_ - p_ >= 2 && p_[0] == '\r' && p_[1] == '\n') [[likely]] {
    p_ += 2;
    return true;
  }
  if (p_ == end_) return more();
  if (*p_ == '\n') return refuse("a line ends in LF without CR");
  if (*p_ != '\r') return refuse("a byte that may not stand here");
  return end_ - p_ < 2 ? more() : refuse("a CR without LF");
}

// Some clients send a CRLF too many after a body; a server should ignore one (RFC 9112 2.2).
bool Parser::empty_line() {
  return p_ < end_ && *p_ == '\r' ? line_end() : true;
}

// What a crowd sends, in one comparison.
bool Parser::usual_request_line() {
  constexpr std::string_view usual = "POST /v1/orders HTTP/1.1\r\n";
  if (!std::string_view(p_, end_).starts_with(usual)) return false;
  is_known_method_ = true;
  parsed_.request.method = Method::post;
  parsed_.request.path = {p_ + usual.find('/'), kOrdersPath.size()};
  p_ += usual.size();
  return true;
}

bool Parser::request_line() {
  if (usual_request_line()) [[likely]]
    return true;
  const char* const name = p_;
  skip(kToken);
  if (p_ > name + kMethodBytesMax) return refuse(Verdict::not_implemented, kUnknownMethod);
  if (p_ == end_) return more();
  if (*p_ != ' ' || p_ == name) return refuse("a request begins with a method and one space");
  is_known_method_ = method_of({name, p_}, parsed_.request.method);
  ++p_;
  return target() && version() && line_end();
}

bool Parser::target() {
  const char* const first = p_;
  skip(kPath);
  if (p_ > first && *first != '/' && *first != '*' && (*first | 0x20) != 'h')
    return refuse(kBadTarget);
  // Only the authority of a URL may hold brackets; take_target() sees where they stand.
  if (p_ > first && *first != '/') skip(kPathOrAuthority);
  if (p_ > first && p_ < end_ && *p_ == '?') skip(kQuery);
  const auto size = static_cast<size_t>(p_ - first);
  if (size > bounds::target_bytes_max)
    return refuse(Verdict::uri_too_long, "the target is longer than 2 KiB");
  if (p_ == end_) return more();
  if (*p_ == '#') return refuse("a target has no fragment");
  const bool is_end = *p_ == ' ' || *p_ == '\t' || *p_ == '\r' || *p_ == '\n';
  if (!is_end) return refuse(kBadTargetByte);
  if (*p_ != ' ' || size == 0) return refuse("a target is followed by one space and the version");
  ++p_;
  return take_target({first, size});
}

// origin-form; absolute-form, which a server must accept and whose host replaces Host (RFC
// 9112 3.2.2); and "*", which OPTIONS of a URL without path means too (3.2.4).
bool Parser::take_target(std::string_view target) {
  Request& request = parsed_.request;
  const bool is_options = request.method == Method::options;
  if (target == "*" && !is_options) return refuse("only OPTIONS has the target *");
  const bool has_authority = target[0] != '/' && target != "*";
  if (has_authority && !take_authority(target)) return false;
  const size_t path_end = std::min(target.find('?'), target.size());
  request.path = target.substr(0, path_end);
  // Otherwise its bytes were looked at when its end was sought.
  if (has_authority && !all_are(request.path, kPath)) return refuse(kBadTargetByte);
  if (target.empty() && is_options)
    request.path = "*";
  else if (request.path.empty())
    request.path = "/";
  if (path_end < target.size()) request.query = target.substr(path_end + 1);
  return true;
}

// "http://host:port", which is taken off the target.
bool Parser::take_authority(std::string_view& target) {
  const size_t scheme_end = target.find("://");
  if (scheme_end == target.npos) return refuse(kBadTarget);
  const std::string_view scheme = target.substr(0, scheme_end);
  if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https"))
    return refuse(kBadTarget);
  target.remove_prefix(scheme_end + 3);
  const std::string_view authority = target.substr(0, target.find_first_of("/?"));
  if (!all_are(authority, kAuthority) || !is_authority(authority))
    return refuse("the host in the target is invalid");
  parsed_.request.host = authority;
  target.remove_prefix(authority.size());
  return true;
}

bool Parser::version() {
  constexpr std::string_view usual = "HTTP/1.1", shape = "HTTP/0.0";
  if (std::string_view(p_, end_).starts_with(usual)) [[likely]] {
    p_ += usual.size();
    return true;
  }
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
  const char* const first = p_;
  for (;;) {
    if (p_ == end_) return more();
    if (*p_ == '\r') {
      parsed_.request.lines = {first, p_};
      return line_end();
    }
    if (*p_ == ' ' || *p_ == '\t') return refuse("a header line begins with white space");
    if (header_count_++ == bounds::header_count_max) {
      return refuse(Verdict::headers_too_large, "there are more than 64 header lines");
    }
    if (!header_line()) return false;
  }
}

bool Parser::header_line() {
  Field field = Field::other;
  if (!field_name(field)) return false;
  std::string_view value;
  if (is_single(field) && has_seen(field)) return refuse("a header that may come once came twice");
  seen_ |= 1u << static_cast<unsigned>(field);
  if (has_seen(Field::content_length) && has_seen(Field::transfer_encoding)) {
    return refuse("Content-Length and Transfer-Encoding together");
  }
  if (field == Field::host && plain_host()) [[likely]]
    return true;
  return field_value(field, value) && take(field, value);
}

// The value of Host and its line's end: a name or an IPv4 address, which is a name by its grammar (RFC 3986 3.2.2), and perhaps a
// port. False, and nothing is consumed: it has to be looked at by bytes.
bool Parser::plain_host() {
  const char* const first = p_ + (p_ < end_ && *p_ == ' ');
  const char* p = find_end_of_plain_host(first, end_);
  if (p == first) return false;
  if (p < end_ && *p == ':') {
    const char* const port = p + 1;
    p = end_of(port, end_, kDigit);
    if (p - port > kPortDigitsMax) return false;
  }
  if (end_ - p < 2 || p[0] != '\r' || p[1] != '\n') return false;
  if (parsed_.request.host.empty()) parsed_.request.host = {first, p};
  p_ = p + 2;
  return true;
}

bool Parser::field_name(Field& field) {
  if (const KnownName known = find_known_name(p_, end_); known.colon != nullptr) [[likely]] {
    field = known.field;
    p_ = known.colon + 1;
    return true;
  }
  const char* const first = p_;
  skip(kToken);
  if (p_ == end_) return more();
  if (*p_ != ':')
    return refuse("a header name holds a byte that is not allowed, or is not followed by a colon");
  if (p_ == first) return refuse("a header has no name");
  field = field_of({first, p_});
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
  const bool is_whole = end_ - p_ >= 2 && p_[0] == '\r' && p_[1] == '\n';
  if (is_whole && (value.empty() || (value.back() != ' ' && value.back() != '\t'))) [[likely]] {
    p_ += 2;
    return true;
  }
  // A tab behind a framing field stays and condemns it: not every parser takes it for white space
  // there.
  const char tab = is_framing(field) ? ' ' : '\t';
  while (!value.empty() && (value.back() == ' ' || value.back() == tab)) value.remove_suffix(1);
  while (p_ < end_ && *p_ == ' ') ++p_;
  return line_end();
}

bool Parser::take(Field field, std::string_view value) {
  Request& request = parsed_.request;
  switch (field) {
    case Field::other:
      return true;
    case Field::host:
      if (!value.empty() && !is_authority(value)) return refuse("the Host header is invalid");
      if (request.host.empty()) request.host = value;  // a target's own host replaces it
      return true;
    case Field::content_length:
      return take_content_length(value);
    case Field::transfer_encoding:
      if (request.is_http_1_0) return refuse("HTTP/1.0 has no Transfer-Encoding");
      return take_transfer_encoding(value);
    case Field::connection:
      take_connection(value);
      return true;
    case Field::expect:
      take_expect(value);
      return true;
    case Field::content_encoding:
      take_content_encoding(value);
      return true;
    case Field::if_none_match:
      request.has_if_none_match = true;
      return true;
    case Field::user_id:
      request.user_id = value;
      return true;
    case Field::authorization:
      request.authorization = value;
      return true;
    case Field::idempotency_key:
      request.idempotency_key = value;
      return true;
    case Field::signature:
      request.signature = value;
      return true;
    case Field::proof:
      request.proof = value;
      return true;
    case Field::content_type:
      request.content_type = value;
      return true;
    case Field::origin:
      request.origin = value;
      return true;
  }
  return true;
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

// A list of codings, of which only the last may be chunked (RFC 9112 6.1). Behind it nothing may
// follow, not even an empty member or line, for which other parsers have other readings. A tab is
// no white space to all of them.
bool Parser::take_transfer_encoding(std::string_view codings) {
  if (codings.find('\t') != codings.npos) return refuse("Transfer-Encoding holds a tab");
  for (bool has_more = true; has_more;) {
    size_t end = 0;
    for (bool is_quoted = false; end < codings.size() && (is_quoted || codings[end] != ','); ++end)
      is_quoted ^= codings[end] == '"';
    has_more = end < codings.size();
    if (!take_transfer_coding(trim_spaces(codings.substr(0, end)))) return false;
    codings.remove_prefix(std::min(end + 1, codings.size()));
  }
  return true;
}

// token *( OWS ";" OWS parameter ); what stands in the parameters changes no answer.
bool Parser::take_transfer_coding(std::string_view coding) {
  if (is_chunked_) return refuse("chunked is not the last transfer coding");
  if (coding.empty()) return true;
  const std::string_view name = trim_spaces(coding.substr(0, coding.find(';')));
  if (name.empty() || !all_are(name, kToken)) return refuse("Transfer-Encoding is malformed");
  is_chunked_ = equals_ignoring_case(name, "chunked");
  if (is_chunked_ && name.size() < coding.size()) return refuse("chunked has no parameters");
  has_other_coding_ |= !is_chunked_;
  return true;
}

void Parser::take_connection(std::string_view options) {
  for (std::string_view option; take_member(options, option);) {
    says_close_ |= equals_ignoring_case(option, "close");
    says_keep_alive_ |= equals_ignoring_case(option, "keep-alive");
  }
}

void Parser::take_expect(std::string_view expectations) {
  for (std::string_view expectation; take_member(expectations, expectation);) {
    const bool is_continue = equals_ignoring_case(expectation, "100-continue");
    expects_continue_ |= is_continue;
    expects_other_ |= !is_continue;
  }
}

// "identity" is no coding, though RFC 9110 8.4 asks senders to leave it out.
void Parser::take_content_encoding(std::string_view codings) {
  for (std::string_view coding; take_member(codings, coding);)
    parsed_.request.has_content_coding |= !equals_ignoring_case(coding, "identity");
}

// The head is complete and well-formed but for a missing Host: what is not served is refused before
// the body is read.
bool Parser::judge_head() {
  Request& request = parsed_.request;
  if (!has_seen(Field::host) && !request.is_http_1_0) return refuse("the Host header is missing");
  if (!judge_framing()) return false;
  if (!is_known_method_) return refuse(Verdict::not_implemented, kUnknownMethod);
  // An expectation in HTTP/1.0 is ignored (RFC 9110 10.1.1).
  if (expects_other_ && !request.is_http_1_0) {
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

// RFC 9112 6.3: without chunked at its end, a body of a request has no end that is sure.
bool Parser::judge_framing() {
  if (!has_seen(Field::transfer_encoding)) return true;
  if (!is_chunked_) return refuse("the last transfer coding is not chunked");
  return !has_other_coding_ ||
         refuse(Verdict::not_implemented, "the only transfer coding is chunked");
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
    Field field = Field::other;
    if (!field_name(field)) return false;
    std::string_view value;
    if (is_framing(field)) return refuse("a trailer may not frame the message");
    if (!field_value(Field::other, value)) return false;
  }
}

}  // namespace

Parsed parse(std::span<const char> input, std::span<char> body_scratch) {
  Parsed parsed;
  Parser(input, body_scratch, parsed).run();
  return parsed;
}

}  // namespace stampede::http
