#include "http/response.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace stampede::http {
namespace {

std::string_view status_line_of(StatusCode status) {
  switch (status) {
    case StatusCode::ok:
      return "HTTP/1.1 200 OK\r\n";
    case StatusCode::created:
      return "HTTP/1.1 201 Created\r\n";
    case StatusCode::no_content:
      return "HTTP/1.1 204 No Content\r\n";
    case StatusCode::not_modified:
      return "HTTP/1.1 304 Not Modified\r\n";
    case StatusCode::conflict:
      return "HTTP/1.1 409 Conflict\r\n";
    case StatusCode::unavailable:
      return "HTTP/1.1 503 Service Unavailable\r\n";
  }
  return "HTTP/1.1 503 Service Unavailable\r\n";
}

bool has_content(StatusCode status) {
  return status != StatusCode::no_content && status != StatusCode::not_modified;
}

// Each head is these lines in this order; an empty one is left out.
struct Head {
  std::string_view status_line;
  std::string_view content_type = kJson;
  size_t content_length = 0;
  bool has_content = true;
  uint32_t retry_after_ms = 0;
  std::string_view headers = {};  // further lines, each with its CRLF
  std::string_view allow = {};
};

void write_head(Writer& out, const Head& head, const Delivery& delivery) {
  out.raw(head.status_line).literal("Date: ").raw(delivery.date.view());
  if (head.has_content) {
    out.literal("\r\nContent-Type: ")
        .raw(head.content_type)
        .literal("\r\nContent-Length: ")
        .number(uint64_t{head.content_length});
  }
  if (head.retry_after_ms > 0)
    out.literal("\r\nRetry-After: ").number((head.retry_after_ms + 999) / 1000);
  if (!head.allow.empty()) out.literal("\r\nAllow: ").raw(head.allow);
  out.literal("\r\n").raw(head.headers).raw(delivery.lines);
  if (delivery.connection == ConnectionOption::close) out.literal("Connection: close\r\n");
  if (delivery.connection == ConnectionOption::keep_alive)
    out.literal("Connection: keep-alive\r\n");
  out.literal("\r\n");
}

size_t write_response(Head head, std::string_view body, const Delivery& delivery,
                      std::span<char> out) {
  Writer writer(out);
  head.content_length = body.size();
  write_head(writer, head, delivery);
  if (!delivery.is_head) writer.raw(body);
  return writer.is_full() ? 0 : writer.size();
}

// A refusal's head line beyond the usual ones (RFC 9110 15.5.2: a 401 names its scheme).
std::string_view headers_of(Verdict verdict) {
  return verdict == Verdict::unauthenticated ? "WWW-Authenticate: Bearer\r\n" : "";
}

void write_refusal(Writer& out, const VerdictInfo& info, std::string_view message,
                   uint32_t retry_after_ms, Limit limit) {
  out.literal("{\"code\":\"").raw(info.code).literal("\",\"message\":").quoted(message);
  out.raw(info.is_retryable ? ",\"retryable\":true" : ",\"retryable\":false");
  if (retry_after_ms > 0) out.literal(",\"retry_after_ms\":").number(retry_after_ms);
  if (limit != Limit::none) out.literal(",\"limit\":\"").raw(name_of(limit)).literal("\"");
}

// What the verdict is about: the order that stands in the way, the units that are left, where or
// when to ask instead.
void write_detail(Writer& out, const OrderAnswer& answer) {
  if (answer.verdict == Verdict::not_enough)
    out.literal(",\"available\":").number(answer.available);
  if (answer.verdict == Verdict::not_started)
    out.literal(",\"starts_at\":").quoted_time(answer.starts_at_ms);
  if (answer.verdict == Verdict::misdirected)
    out.literal(",\"node\":").number(uint32_t{answer.node});
  if (!answer.has_order) return;
  out.literal(",\"order_id\":").quoted_id(answer.order.id);
  out.literal(",\"state\":\"").raw(name_of(answer.order.state)).literal("\"");
}

// The answer's own wait; or, before a sale, until its start; or the table's.
uint32_t retry_after_ms_of(const OrderAnswer& answer, const Delivery& delivery) {
  const uint32_t fallback = info_of(answer.verdict).retry_after_ms;
  if (answer.retry_after_ms > 0 || answer.verdict != Verdict::not_started) {
    return answer.retry_after_ms > 0 ? answer.retry_after_ms : fallback;
  }
  constexpr int64_t day_ms = 86'400'000;
  return static_cast<uint32_t>(
      std::clamp<int64_t>(answer.starts_at_ms - delivery.date.wall_ms(), fallback, day_ms));
}

// 201 or 200, with the order.
bool shows_order(Verdict verdict) {
  return verdict == Verdict::created || verdict == Verdict::ok || verdict == Verdict::replayed;
}

size_t render_any_answer(const OrderAnswer& answer, std::string_view item_code,
                         const Delivery& delivery, std::span<char> out) {
  char body[kOrderJsonBytesMax];
  Writer writer(body);
  const VerdictInfo& info = info_of(answer.verdict);
  Head head{.status_line = info.status_line};
  if (shows_order(answer.verdict)) {
    CHECK(answer.has_order);
    write_order(writer, answer.order, item_code, answer.verdict == Verdict::replayed);
  } else {
    head.retry_after_ms = retry_after_ms_of(answer, delivery);
    head.headers = headers_of(answer.verdict);
    write_refusal(writer, info, info.message, head.retry_after_ms, answer.limit);
    write_detail(writer, answer);
    writer.literal("}");
  }
  CHECK(!writer.is_full());
  return write_response(head, writer.view(), delivery, out);
}

// The head in front of an order, as it is rendered once: only the date and the length of the body change in it.
class OrderHead {
 public:
  explicit OrderHead(Verdict verdict) {
    const DateText date;
    std::array<char, response_bytes_max> room;
    Writer writer(room);
    const Head head{.status_line = info_of(verdict).status_line, .content_length = kLengthMin};
    write_head(writer, head, {.date = date});
    CHECK(writer.size() <= bytes_.size());
    size_ = writer.view().copy(bytes_.data(), bytes_.size());
    date_at_ = writer.view().find(date.view());
    length_at_ = writer.view().find("100\r\n\r\n");
    CHECK(date_at_ < size_ && length_at_ < size_);
  }
  // 0: the length has not three digits, or there may be no room.
  size_t render(const OrderAnswer& answer, std::string_view item_code, const DateText& date,
                std::span<char> out) const {
    if (out.size() < kBytesMax + kOrderJsonBytesMax) return 0;
    char* const head = out.data();
    std::copy(bytes_.begin(), bytes_.end(), head);
    date.view().copy(head + date_at_, out.size() - date_at_);
    const size_t length =
        render_order_json(answer.order, item_code, answer.verdict == Verdict::replayed,
                          OrderJsonRoom(head + size_, kOrderJsonBytesMax));
    if (length < kLengthMin || length > kLengthMax) return 0;
    char* const digits = head + length_at_;
    digits[0] = static_cast<char>('0' + length / 100);
    digits[1] = static_cast<char>('0' + length / 10 % 10);
    digits[2] = static_cast<char>('0' + length % 10);
    return size_ + length;
  }

 private:
  static constexpr size_t kLengthMin = 100, kLengthMax = 999;
  static constexpr size_t kBytesMax = 128;
  static_assert(kBytesMax + kOrderJsonBytesMax <= response_bytes_max);
  std::array<char, kBytesMax> bytes_{};
  size_t size_ = 0, date_at_ = 0, length_at_ = 0;
};

// A refusal that says no more than its verdict, as it is rendered once: only the date in it changes.
class PlainRefusal {
 public:
  PlainRefusal() = default;
  explicit PlainRefusal(Verdict verdict) {
    const DateText date;
    OrderAnswer answer;
    answer.verdict = verdict;
    std::array<char, response_bytes_max> room;
    size_ = render_any_answer(answer, {}, {.date = date}, room);
    CHECK(size_ <= bytes_.size());
    std::copy_n(room.begin(), size_, bytes_.begin());
    date_at_ = std::string_view(room.data(), size_).find(date.view());
    CHECK(date_at_ < size_);
  }
  size_t render(const DateText& date, std::span<char> out) const {
    if (size_ > out.size()) return 0;
    std::copy_n(bytes_.begin(), size_, out.begin());
    date.view().copy(out.data() + date_at_, out.size() - date_at_);
    return size_;
  }

 private:
  std::array<char, 384> bytes_;
  size_t size_ = 0, date_at_ = 0;
};

std::array<PlainRefusal, kVerdictCount> make_plain_refusals() {
  std::array<PlainRefusal, kVerdictCount> refusals;
  for (unsigned number = 0; number < kVerdictCount; ++number) {
    const auto verdict = static_cast<Verdict>(number);
    if (info_of(verdict).status() >= 300) refusals[number] = PlainRefusal(verdict);
  }
  return refusals;
}

// The usual head, and the body behind it.
bool is_plain(const Delivery& delivery) {
  return delivery.connection == ConnectionOption::none && !delivery.is_head &&
         delivery.lines.empty();
}

bool is_plain_refusal(const OrderAnswer& answer, const Delivery& delivery) {
  const bool has_detail = answer.has_order || answer.retry_after_ms != 0 ||
                          answer.limit != Limit::none || answer.verdict == Verdict::not_enough ||
                          answer.verdict == Verdict::not_started ||
                          answer.verdict == Verdict::misdirected;
  return !has_detail && info_of(answer.verdict).status() >= 300 && is_plain(delivery);
}

}  // namespace

size_t render_answer(const OrderAnswer& answer, std::string_view item_code,
                     const Delivery& delivery, std::span<char> out) {
  static const std::array<PlainRefusal, kVerdictCount> plain_refusals = make_plain_refusals();
  if (is_plain_refusal(answer, delivery))
    return plain_refusals[static_cast<unsigned>(answer.verdict)].render(delivery.date, out);
  if (shows_order(answer.verdict) && is_plain(delivery)) {
    static const OrderHead created(Verdict::created), ok(Verdict::ok);
    CHECK(answer.has_order);
    const OrderHead& head = answer.verdict == Verdict::created ? created : ok;
    if (const size_t size = head.render(answer, item_code, delivery.date, out)) return size;
  }
  return render_any_answer(answer, item_code, delivery, out);
}

size_t render_refusal(const Refusal& refusal, const Delivery& delivery, std::span<char> out) {
  char body[kOrderJsonBytesMax];
  Writer writer(body);
  const VerdictInfo& info = info_of(refusal.verdict);
  const uint32_t retry_after_ms =
      refusal.retry_after_ms > 0 ? refusal.retry_after_ms : info.retry_after_ms;
  write_refusal(writer, info, refusal.reason ? refusal.reason : info.message, retry_after_ms,
                refusal.limit);
  writer.literal("}");
  CHECK(!writer.is_full());
  const Head head{.status_line = info.status_line,
                  .retry_after_ms = retry_after_ms,
                  .headers = headers_of(refusal.verdict),
                  .allow = refusal.allow};
  return write_response(head, writer.view(), delivery, out);
}

size_t render(StatusCode status, std::string_view content_type, std::string_view headers,
              std::string_view body, const Delivery& delivery, std::span<char> out) {
  const Head head{.status_line = status_line_of(status),
                  .content_type = content_type,
                  .has_content = has_content(status),
                  .headers = headers};
  return write_response(head, head.has_content ? body : "", delivery, out);
}

size_t render_head(StatusCode status, std::string_view content_type, std::string_view headers,
                   size_t content_length, const Delivery& delivery, std::span<char> out) {
  Writer writer(out);
  const Head head{.status_line = status_line_of(status),
                  .content_type = content_type,
                  .content_length = content_length,
                  .has_content = has_content(status),
                  .headers = headers};
  write_head(writer, head, delivery);
  return writer.is_full() ? 0 : writer.size();
}

void OrderList::append(const OrderView& order, std::string_view item_code) {
  char json[kOrderJsonBytesMax];
  Writer writer(json);
  write_order(writer, order, item_code);
  CHECK(!writer.is_full());
  if (json_.back() == '}') json_ += ',';
  json_ += writer.view();
}

std::string_view OrderList::finish() {
  json_ += "]}";
  return json_;
}

}  // namespace stampede::http
