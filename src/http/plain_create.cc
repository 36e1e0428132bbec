#include "http/plain_create.h"

#include <emmintrin.h>

#include <cstring>

#include "bounds.h"

namespace stampede::http {
namespace {

constexpr std::string_view kShortest = R"({"item":"t","qty":1})";

// Which of sixteen bytes may not stand in a plain text, a bit for each: controls, all beyond ASCII (which as signed numbers are
// below the blank, too), quotes and backslashes.
unsigned ends_of_plain_text(const char* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i others = _mm_cmplt_epi8(bytes, _mm_set1_epi8(' '));
  const __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                     _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(others, marks)));
}

class PlainReader {
 public:
  // At least sixteen bytes.
  explicit PlainReader(std::string_view body) : p_(body.data()), end_(p_ + body.size()) {}

  template <size_t Size>
  bool take(const char (&literal)[Size]) {
    constexpr size_t size = Size - 1;
    if (static_cast<size_t>(end_ - p_) < size || std::memcmp(p_, literal, size) != 0) return false;
    p_ += size;
    return true;
  }
  void skip_blank() { p_ += p_ < end_ && *p_ == ' '; }
  bool is_at_end() const { return p_ == end_; }

  // Between its quotes.
  bool text(std::string_view& text) {
    if (!take("\"")) return false;
    const char* const first = p_;
    if (!find_end_of_text()) return false;
    text = {first, p_};
    return take("\"");
  }

  bool quantity(Quantity& quantity) {
    if (p_ == end_ || *p_ < '1' || *p_ > '9') return false;
    uint64_t number = 0;
    for (; p_ < end_ && *p_ >= '0' && *p_ <= '9' && number <= bounds::quantity_max; ++p_)
      number = number * 10 + static_cast<unsigned>(*p_ - '0');
    quantity = static_cast<Quantity>(number);
    return number <= bounds::quantity_max;
  }

 private:
  // The last bytes are looked at with those in front of them.
  bool find_end_of_text() {
    for (; end_ - p_ >= 16; p_ += 16)
      if (const unsigned found = ends_of_plain_text(p_); found != 0) {
        p_ += __builtin_ctz(found);
        return true;
      }
    const unsigned found = ends_of_plain_text(end_ - 16) >> (16 - (end_ - p_));
    if (found == 0) return false;
    p_ += __builtin_ctz(found);
    return true;
  }

  const char* p_;
  const char* const end_;
};

// Each member at most once.
bool read_member(PlainReader& in, CreateBody& create) {
  if (in.take("\"item\":")) {
    in.skip_blank();
    return create.item.empty() && in.text(create.item) && !create.item.empty() &&
           create.item.size() <= bounds::item_code_bytes_max;
  }
  if (in.take("\"qty\":")) {
    in.skip_blank();
    return create.quantity == 0 && in.quantity(create.quantity);
  }
  if (in.take("\"link\":")) {
    in.skip_blank();
    return create.link.empty() && in.text(create.link) && !create.link.empty();
  }
  return false;
}

}  // namespace

bool read_plain_create(std::string_view body, CreateBody& create) {
  create = {};
  if (body.size() < kShortest.size() || body.size() > bounds::body_bytes_max) return false;
  PlainReader in(body);
  if (!in.take("{")) return false;
  do {
    in.skip_blank();
    if (!read_member(in, create)) return false;
  } while (in.take(","));
  return in.take("}") && in.is_at_end() && !create.item.empty() && create.quantity != 0;
}

}  // namespace stampede::http
