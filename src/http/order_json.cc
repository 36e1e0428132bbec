#include "http/order_json.h"

#include <emmintrin.h>

#include <charconv>
#include <cstring>

#include "base/check.h"
#include "base/hex.h"
#include "base/time_text.h"

namespace stampede::http {
namespace {

// Which of sixteen bytes may not stand as they are in a JSON string, a bit for each.
unsigned bytes_to_escape(const char* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  const __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                     _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(controls, marks)));
}

// Writes without looking at what room is left: whoever has one has room for all that it writes, and sixteen bytes more.
class Pen {
 public:
  explicit Pen(char* out) : p_(out) {}
  char* place() const { return p_; }

  template <size_t Size>
  Pen& literal(const char (&text)[Size]) {
    std::memcpy(p_, text, Size - 1);
    p_ += Size - 1;
    return *this;
  }
  Pen& raw(std::string_view text) {
    p_ += text.copy(p_, text.size());
    return *this;
  }
  template <typename Integer>
  Pen& number(Integer value) {
    constexpr size_t digits_max = 20;
    if (value >= 0 && value <= 9)
      *p_++ = static_cast<char>('0' + value);
    else
      p_ = std::to_chars(p_, p_ + digits_max, value).ptr;
    return *this;
  }
  Pen& quoted_id(OrderId id) {
    *p_ = '"';
    render_hex64(id.value, std::span<char, kHex64Bytes>(p_ + 1, kHex64Bytes));
    return close(kHex64Bytes);
  }
  Pen& quoted_time(int64_t wall_ms) {
    *p_ = '"';
    render_time(wall_ms, std::span<char, kTimeTextBytes>(p_ + 1, kTimeTextBytes));
    return close(kTimeTextBytes);
  }
  // Copied first and looked at then: where it has come to, there is room to look at sixteen bytes together.
  Pen& quoted(std::string_view utf8) {
    *p_ = '"';
    const size_t size = utf8.copy(p_ + 1, utf8.size());
    if (must_escape(p_ + 1, size)) [[unlikely]]
      return escaped(utf8);
    return close(size);
  }

 private:
  Pen& close(size_t size) {
    p_[size + 1] = '"';
    p_ += size + 2;
    return *this;
  }
  static bool must_escape(const char* text, size_t size) {
    size_t at = 0;
    for (; at + 16 <= size; at += 16)
      if (bytes_to_escape(text + at) != 0) return true;
    return (bytes_to_escape(text + at) & ((1u << (size - at)) - 1)) != 0;
  }
  Pen& escaped(std::string_view utf8) {
    Writer writer({p_, quoted_bytes_max(utf8.size())});
    writer.quoted(utf8);
    p_ += writer.size();
    return *this;
  }

  char* p_;
};

}  // namespace

size_t render_order_json(const OrderView& order, std::string_view item_code, bool is_replayed,
                         OrderJsonRoom room) {
  CHECK(item_code.size() <= bounds::item_code_bytes_max);
  Pen pen(room.data());
  pen.literal("{\"order_id\":").quoted_id(order.id);
  pen.literal(",\"item\":").quoted(item_code).literal(",\"qty\":").number(order.quantity);
  pen.literal(",\"user\":").quoted(order.user).literal(",\"state\":\"").raw(name_of(order.state));
  pen.literal("\",\"amount\":").number(order.amount).literal(",\"currency\":");
  pen.quoted({order.currency.data(), order.currency.size()});
  pen.literal(",\"created_at\":").quoted_time(order.created_ms);
  pen.literal(",\"pay_before\":").quoted_time(order.pay_before_ms);
  pen.literal(",\"refund_due\":").number(order.refund_due);
  if (is_replayed) pen.literal(",\"replayed\":true");
  pen.literal("}");
  return static_cast<size_t>(pen.place() - room.data());
}

void write_order(Writer& out, const OrderView& order, std::string_view item_code,
                 bool is_replayed) {
  char room[kOrderJsonBytesMax];
  out.raw({room, render_order_json(order, item_code, is_replayed, room)});
}

}  // namespace stampede::http
