// Each record's fields are listed once, in fields(); three archives walk that list: one adds up the
// bytes, one writes them, one reads them. So records are read as they were written, by construction.
//
// Numbers are little-endian without gaps, a text is one byte of length and its bytes. A
// reservation by a user of 20 bytes with a key of 36 takes 120 bytes.
#include "orderlog/record.h"

#include <concepts>
#include <cstring>
#include <type_traits>

#include "base/check.h"
#include "bounds.h"

namespace stampede::orderlog {
namespace {

constexpr size_t kPrefixBytes = 8;  // u16 type, u16 flags, u32 length

constexpr size_t padded(size_t bytes) {
  return (bytes + 7) & ~size_t{7};
}

// A text with its bound, as fields() names it.
template <typename View>
struct Bounded {
  View& text;
  unsigned bytes_max;
};
template <typename View>
Bounded(View&, unsigned) -> Bounded<View>;

class Sizer {
 public:
  template <typename... Fields>
  void operator()(const Fields&... fields) {
    (add(fields), ...);
  }
  size_t bytes() const { return bytes_; }

 private:
  template <typename Number>
  void add(const Number&) {
    bytes_ += sizeof(Number);
  }
  template <typename View>
  void add(const Bounded<View>& field) {
    bytes_ += 1 + field.text.size();
  }
  size_t bytes_ = 0;
};

class Encoder {
 public:
  explicit Encoder(std::byte* out) : out_(out) {}
  template <typename... Fields>
  void operator()(const Fields&... fields) {
    (put(fields), ...);
  }
  std::byte* end() const { return out_; }

 private:
  template <typename Number>
  void put(const Number& number) {
    std::memcpy(out_, &number, sizeof number);
    out_ += sizeof number;
  }
  template <typename View>
  void put(const Bounded<View>& field) {
    CHECK(field.text.size() <= field.bytes_max);
    put(static_cast<uint8_t>(field.text.size()));
    if (field.text.empty()) return;  // it may have no address
    std::memcpy(out_, field.text.data(), field.text.size());
    out_ += field.text.size();
  }
  std::byte* out_;
};

// Reads within its span and nothing else; once something is wrong it stays wrong, and the values
// are not used.
class Decoder {
 public:
  explicit Decoder(std::span<const std::byte> in) : in_(in) {}
  template <typename... Fields>
  void operator()(Fields&&... fields) {
    (get(fields), ...);
  }
  bool is_sound() const { return is_sound_; }
  std::span<const std::byte> rest() const { return in_; }

 private:
  template <typename Number>
  void get(Number& number) {
    if (!has(sizeof number)) return;
    std::memcpy(&number, in_.data(), sizeof number);
    in_ = in_.subspan(sizeof number);
  }
  void get(bool& flag) {
    uint8_t byte = 0;
    get(byte);
    is_sound_ = is_sound_ && byte <= 1;
    flag = byte == 1;
  }
  void get(OrderState& state) {
    uint8_t byte = 0;
    get(byte);
    is_sound_ = is_sound_ && byte <= static_cast<uint8_t>(OrderState::expired);
    state = static_cast<OrderState>(byte);
  }
  void get(BlockWord& word) {
    uint8_t byte = 0;
    get(byte);
    is_sound_ = is_sound_ && byte <= static_cast<uint8_t>(BlockWord::exempt);
    word = static_cast<BlockWord>(byte);
  }
  template <typename View>
  void get(Bounded<View>& field) {
    uint8_t size = 0;
    get(size);
    if (size > field.bytes_max) is_sound_ = false;
    if (!has(size)) return;
    field.text = {reinterpret_cast<const char*>(in_.data()), size};
    in_ = in_.subspan(size);
  }
  bool has(size_t bytes) {
    is_sound_ = is_sound_ && bytes <= in_.size();
    return is_sound_;
  }
  std::span<const std::byte> in_;
  bool is_sound_ = true;
};

// The lists. `Of<T, X>`: T, const or not.
template <typename Given, typename T>
concept Of = std::same_as<std::remove_const_t<Given>, T>;

template <typename Archive, Of<Item> R>
void fields(Archive& archive, R& r) {
  archive(r.item, r.price, r.currency, r.per_user_limit, r.starts_ms, r.ends_ms, r.pay_window_s,
          r.is_paused, r.is_ended, r.has_hidden_link, r.catalog_sum,
          Bounded{r.code, bounds::item_code_bytes_max},
          Bounded{r.title, bounds::item_title_bytes_max});
}
// The fields that item_more has beside these.
template <typename Archive, Of<Item> R>
void more_fields(Archive& archive, R& r) {
  archive(r.order_rate, r.has_proof, Bounded{r.product, bounds::product_bytes_max},
          Bounded{r.enrolled, bounds::enrolled_file_bytes_max});
}
bool has_more(const Item& r) {
  return r.order_rate != 0 || r.has_proof || !r.product.empty() || !r.enrolled.empty();
}
template <typename Archive, Of<Supply> R>
void fields(Archive& archive, R& r) {
  archive(r.item, r.supplied, r.withdrawn);
}
template <typename Archive, Of<Grant> R>
void fields(Archive& archive, R& r) {
  archive(r.item, r.accepted);
}
template <typename Archive, Of<GiveBack> R>
void fields(Archive& archive, R& r) {
  archive(r.item, r.returned);
}
template <typename Archive, Of<Admin> R>
void fields(Archive& archive, R& r) {
  archive(r.at_ms, r.item, Bounded{r.op_id, bounds::op_id_bytes_max},
          Bounded{r.who, bounds::admin_text_bytes_max},
          Bounded{r.what, bounds::admin_text_bytes_max});
}
template <typename Archive, Of<Epoch> R>
void fields(Archive& archive, R& r) {
  archive(r.epoch);
}
template <typename Archive, Of<SequenceFloor> R>
void fields(Archive& archive, R& r) {
  archive(r.sequence);
}
template <typename Archive, Of<Block> R>
void fields(Archive& archive, R& r) {
  archive(r.is_network, r.word, Bounded{r.subject, bounds::user_bytes_max});
}
template <typename Archive, Of<Reserve> R>
void fields(Archive& archive, R& r) {
  archive(r.order, r.item, r.quantity, r.amount, r.currency, r.created_ms, r.pay_before_ms,
          r.body_hash, Bounded{r.user, bounds::user_bytes_max},
          Bounded{r.key, bounds::stored_key_bytes_max});
}
template <typename Archive, Of<Payment> R>
void fields(Archive& archive, R& r) {  // the outcome is the record's type
  archive(r.order, r.amount, r.currency, r.received_ms,
          Bounded{r.payment_id, bounds::payment_id_bytes_max});
}
template <typename Archive, typename R>
requires Of<R, Cancel> || Of<R, Expire>
void fields(Archive& archive, R& r) {
  archive(r.order, r.at_ms);
}
template <typename Archive, Of<Forget> R>
void fields(Archive& archive, R& r) {
  archive(r.order);
}
template <typename Archive, Of<Recovery> R>
void fields(Archive& archive, R& r) {
  archive(r.truncated_batch, r.truncated_offset);
}
template <typename Archive, Of<SoldImage> R>
void fields(Archive& archive, R& r) {
  archive(r.item, r.units);
}
template <typename Archive, Of<SegmentEnd> R>
void fields(Archive& archive, R& r) {
  archive(r.next_segment);
}
template <typename Archive, Of<OrderImage> R>
void fields(Archive& archive, R& r) {
  fields(archive, r.reserve);
  archive(r.state, r.refund_due, r.last_lsn, r.deadline_boot_ns);
}
template <typename Archive, Of<PaymentImage> R>
void fields(Archive& archive, R& r) {
  archive(r.payment.outcome);
  fields(archive, r.payment);
}

// Which type an alternative of Record is stored as; a Payment is stored as its outcome.
template <typename R>
constexpr RecordType kTypeOf{};
template <>
constexpr RecordType kTypeOf<Item> = RecordType::item;
template <>
constexpr RecordType kTypeOf<Supply> = RecordType::supply;
template <>
constexpr RecordType kTypeOf<Grant> = RecordType::grant;
template <>
constexpr RecordType kTypeOf<GiveBack> = RecordType::give_back;
template <>
constexpr RecordType kTypeOf<Admin> = RecordType::admin;
template <>
constexpr RecordType kTypeOf<Epoch> = RecordType::epoch;
template <>
constexpr RecordType kTypeOf<SequenceFloor> = RecordType::sequence_floor;
template <>
constexpr RecordType kTypeOf<Block> = RecordType::block;
template <>
constexpr RecordType kTypeOf<Reserve> = RecordType::reserve;
template <>
constexpr RecordType kTypeOf<Cancel> = RecordType::cancel;
template <>
constexpr RecordType kTypeOf<Expire> = RecordType::expire;
template <>
constexpr RecordType kTypeOf<Forget> = RecordType::forget;
template <>
constexpr RecordType kTypeOf<Recovery> = RecordType::recovery;
template <>
constexpr RecordType kTypeOf<SegmentEnd> = RecordType::segment_end;
template <>
constexpr RecordType kTypeOf<OrderImage> = RecordType::order_image;
template <>
constexpr RecordType kTypeOf<PaymentImage> = RecordType::payment_image;
template <>
constexpr RecordType kTypeOf<SoldImage> = RecordType::sold_image;

constexpr bool is_outcome(RecordType type) {
  return type >= RecordType::paid && type <= RecordType::payment_rejected;
}

template <typename R>
constexpr bool is_stored_as(RecordType type) {
  if constexpr (std::same_as<R, Payment>) {
    return is_outcome(type);
  } else if constexpr (std::same_as<R, Item>) {
    return type == RecordType::item || type == RecordType::item_more;
  } else {
    static_assert(kTypeOf<R> != RecordType{}, "name its type above");
    return type == kTypeOf<R>;
  }
}

template <typename Archive, typename R>
void all_fields(Archive& archive, RecordType type, R& r) {
  fields(archive, r);
  if constexpr (Of<R, Item>)
    if (type == RecordType::item_more) more_fields(archive, r);
}

// The length of the record at the start of `in`, or 0 when no record can begin so.
size_t read_length(std::span<const std::byte> in, RecordType& type) {
  if (in.size() < kPrefixBytes) return 0;
  uint16_t flags = 0;
  uint32_t length = 0;
  std::memcpy(&type, in.data(), 2);
  std::memcpy(&flags, in.data() + 2, 2);
  std::memcpy(&length, in.data() + 4, 4);
  const bool is_possible = flags == 0 && length >= kPrefixBytes && length % 8 == 0 &&
                           length <= bounds::record_bytes_max && length <= in.size();
  return is_possible ? length : 0;
}

template <typename R>
bool decode_into(R& record, RecordType type, std::span<const std::byte> payload) {
  Decoder decoder(payload);
  all_fields(decoder, type, record);
  if (!decoder.is_sound() || decoder.rest().size() >= 8) return false;
  for (const std::byte padding : decoder.rest())
    if (padding != std::byte{0}) return false;
  if constexpr (std::same_as<R, Payment>) record.outcome = type;
  if constexpr (std::same_as<R, PaymentImage>) return is_outcome(record.payment.outcome);
  // One record has one form: an item_more with no more than the fields of an item is never written.
  if constexpr (std::same_as<R, Item>) return has_more(record) == (type == RecordType::item_more);
  return true;
}

// Tries the alternatives in turn; the first whose type it is decides.
template <typename... Rs>
bool decode_as(RecordType type, std::variant<Rs...>& record, std::span<const std::byte> payload) {
  bool is_sound = false;
  const auto decode_if = [&]<typename R>(std::type_identity<R>) {
    if (!is_stored_as<R>(type)) return false;
    is_sound = decode_into(record.template emplace<R>(), type, payload);
    return true;
  };
  (decode_if(std::type_identity<Rs>{}) || ...);
  return is_sound;
}

}  // namespace

RecordType type_of(const Record& record) {
  if (const auto* payment = std::get_if<Payment>(&record)) {
    CHECK(is_outcome(payment->outcome));
    return payment->outcome;
  }
  if (const auto* item = std::get_if<Item>(&record); item != nullptr && has_more(*item))
    return RecordType::item_more;
  return std::visit([](const auto& r) { return kTypeOf<std::decay_t<decltype(r)>>; }, record);
}

std::string_view name_of(RecordType type) {
  switch (type) {
    case RecordType::item:
    case RecordType::item_more:
      return "item";
    case RecordType::supply:
      return "supply";
    case RecordType::grant:
      return "grant";
    case RecordType::give_back:
      return "give_back";
    case RecordType::admin:
      return "admin";
    case RecordType::epoch:
      return "epoch";
    case RecordType::sequence_floor:
      return "sequence_floor";
    case RecordType::block:
      return "block";
    case RecordType::reserve:
      return "reserve";
    case RecordType::paid:
      return "paid";
    case RecordType::late_paid:
      return "late_paid";
    case RecordType::refund_due:
      return "refund_due";
    case RecordType::payment_rejected:
      return "payment_rejected";
    case RecordType::cancel:
      return "cancel";
    case RecordType::expire:
      return "expire";
    case RecordType::forget:
      return "forget";
    case RecordType::recovery:
      return "recovery";
    case RecordType::segment_end:
      return "segment_end";
    case RecordType::order_image:
      return "order_image";
    case RecordType::payment_image:
      return "payment_image";
    case RecordType::sold_image:
      return "sold_image";
  }
  return "unknown";
}

size_t encoded_bytes(const Record& record) {
  Sizer sizer;
  std::visit([&](const auto& r) { all_fields(sizer, type_of(record), r); }, record);
  return padded(kPrefixBytes + sizer.bytes());
}

size_t encode(const Record& record, std::span<std::byte> out) {
  const size_t bytes = encoded_bytes(record);
  CHECK(bytes <= bounds::record_bytes_max);
  CHECK(bytes <= out.size());
  const RecordType type = type_of(record);
  Encoder encoder(out.data());
  encoder(static_cast<uint16_t>(type), uint16_t{0}, static_cast<uint32_t>(bytes));
  std::visit([&](const auto& r) { all_fields(encoder, type, r); }, record);
  std::memset(encoder.end(), 0, out.data() + bytes - encoder.end());
  return bytes;
}

std::optional<Decoded> decode(std::span<const std::byte> in) {
  std::optional<Decoded> decoded{std::in_place};
  RecordType type{};
  decoded->bytes = read_length(in, type);
  if (decoded->bytes == 0) return std::nullopt;
  const std::span payload = in.subspan(kPrefixBytes, decoded->bytes - kPrefixBytes);
  if (!decode_as(type, decoded->record, payload)) return std::nullopt;
  return decoded;
}

}  // namespace stampede::orderlog
