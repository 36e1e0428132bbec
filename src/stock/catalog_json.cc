#include "stock/catalog_json.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "base/hex.h"
#include "base/json_text.h"
#include "base/quoted.h"
#include "base/time_text.h"

namespace stampede::stock {
namespace {

enum Field : unsigned {
  kCode,
  kTitle,
  kPrice,
  kCurrency,
  kStock,
  kPerUserLimit,
  kStartsAt,
  kEndsAt,
  kPayWindow,
  kHiddenLink,
  kOrderRate,
  kProof,
  kProduct,
  kEnrolled,
  kFieldCount,
};
constexpr std::array<std::string_view, kFieldCount> kFieldNames = {
    "code",    "title",        "price",       "currency",   "stock", "per_user_limit", "starts_at",
    "ends_at", "pay_window_s", "hidden_link", "order_rate", "proof", "product",        "enrolled"};

// An item on the way in: what its fields said so far and where each of them stands (null: not
// seen).
struct Draft {
  CatalogEntry entry;
  std::array<const char*, kFieldCount> places{};

  bool has(Field field) const { return places[field] != nullptr; }
};

constexpr std::string_view kCodeExpected = "expected 1 to 64 characters of A-Z a-z 0-9 . _ -";
constexpr std::string_view kCodeOfDots = ". and .. can be named in no URL: expected another code";

bool is_code_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

// What clients resolve away before they send a URL (RFC 3986 5.2.4).
bool is_of_dots(std::string_view text) {
  return text == "." || text == "..";
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

Refusal read_code(JsonText::Value value, Text<bounds::item_code_bytes_max>& out) {
  std::string_view text;
  if (!read_text(value, text).empty()) return Refusal(kCodeExpected);
  if (!is_item_code(text)) return Refusal(is_of_dots(text) ? kCodeOfDots : kCodeExpected);
  out = text;
  return {};
}

Refusal read_title(JsonText::Value value, Text<bounds::item_title_bytes_max>& out) {
  std::string_view text;
  if (Refusal refusal = read_text(value, text); !refusal.empty()) return refusal;
  if (text.empty() || text.size() > bounds::item_title_bytes_max ||
      std::any_of(text.begin(), text.end(), is_control))
    return "expected 1 to 200 bytes of UTF-8 without control characters";
  out = text;
  return {};
}

Refusal read_currency(JsonText::Value value, Currency& out) {
  std::string_view text;
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (!read_text(value, text).empty() || text.size() != out.size() ||
      !std::all_of(text.begin(), text.end(), is_upper))
    return "expected three capital letters, such as CNY";
  std::copy(text.begin(), text.end(), out.begin());
  return {};
}

// As good as absent.
bool is_null(JsonText::Value value) {
  bool is_null = false;
  return value.is_null().get(is_null) == simdjson::SUCCESS && is_null;
}

constexpr std::string_view kTimeExpected = "expected a time such as 2026-12-01T10:00:00+08:00";

// The first millisecond of 1970 is how terms say "no time".
Refusal read_time(JsonText::Value value, int64_t& out) {
  if (is_null(value)) return {};
  std::string_view text;
  if (!read_text(value, text).empty()) return Refusal(kTimeExpected);
  const std::optional<int64_t> wall_ms = parse_time(text);
  if (!wall_ms) {
    const std::string_view fault = time_fault(text);
    return Refusal(fault.empty() ? kTimeExpected : fault);
  }
  if (*wall_ms == 0) return "must be later than 1970-01-01T00:00:00Z";
  out = *wall_ms;
  return {};
}

// A number of the shop's own, which buyers do not see.
Refusal read_product(JsonText::Value value, Text<bounds::product_bytes_max>& out) {
  if (is_null(value)) return {};
  std::string_view text;
  if (!read_text(value, text).empty() || !is_product(text))
    return "expected 1 to 64 visible ASCII characters";
  out = text;
  return {};
}

Refusal read_file_name(JsonText::Value value, Text<bounds::enrolled_file_bytes_max>& out) {
  if (is_null(value)) return {};
  std::string_view text;
  if (!read_text(value, text).empty() || text.empty() ||
      text.size() > bounds::enrolled_file_bytes_max ||
      std::any_of(text.begin(), text.end(), is_control))
    return "expected the name of a file, 1 to 200 bytes";
  out = text;
  return {};
}

template <typename T>
Refusal read_number(JsonText::Value value, int64_t low, int64_t high, T& out) {
  int64_t number = 0;
  Refusal refusal = read_integer(value, low, high, number);
  if (refusal.empty()) out = static_cast<T>(number);
  return refusal;
}

Refusal read_field(Field field, JsonText::Value value, CatalogEntry& entry) {
  ItemTerms& terms = entry.terms;
  switch (field) {
    case kCode:
      return read_code(value, terms.code);
    case kTitle:
      return read_title(value, terms.title);
    case kPrice:
      return read_number(value, 0, bounds::price_max, terms.price);
    case kCurrency:
      return read_currency(value, terms.currency);
    case kStock:
      return read_number(value, 0, bounds::stock_max, entry.stock);
    case kPerUserLimit:
      return read_number(value, 0, bounds::per_user_limit_max, terms.per_user_limit);
    case kStartsAt:
      return read_time(value, terms.starts_ms);
    case kEndsAt:
      return read_time(value, terms.ends_ms);
    case kPayWindow:
      return read_number(value, 1, bounds::pay_window_s_max, terms.pay_window_s);
    case kHiddenLink:
      return read_bool(value, terms.has_hidden_link);
    case kOrderRate:
      return read_number(value, 0, bounds::order_rate_max, terms.order_rate);
    case kProof:
      return read_bool(value, terms.has_proof);
    case kProduct:
      return read_product(value, terms.product);
    case kEnrolled:
      return read_file_name(value, terms.enrolled);
    case kFieldCount:
      break;
  }
  check_failed("a known field", __FILE__, __LINE__);
}

// Reads the fields of one item; `prefix` tells complaints which item it is.
class ItemReader {
 public:
  ItemReader(const JsonText& json, const char* where, std::string prefix)
      : json_(json), where_(where), prefix_(std::move(prefix)) {}

  Status read(std::string_view key, JsonText::Value value, const char* where) {
    const auto name = std::find(kFieldNames.begin(), kFieldNames.end(), key);
    if (name == kFieldNames.end()) return error(where, key, "unknown key");
    const auto field = static_cast<Field>(name - kFieldNames.begin());
    if (draft_.has(field)) return error(where, key, "is given twice");
    draft_.places[field] = where;
    if (Refusal refusal = read_field(field, value, draft_.entry); !refusal.empty())
      return error(where, key, refusal);
    return Ok{};
  }

  Status require(Field field) const {
    if (draft_.has(field)) return Ok{};
    return error(where_, kFieldNames[field], "is required");
  }

  // What fields mean together.
  Status finish() {
    ItemTerms& terms = draft_.entry.terms;
    // Without a code yet, the one that its product gets stands for it.
    if (terms.title.empty()) terms.title = terms.code.view();
    if (terms.ends_ms != 0 && terms.ends_ms <= terms.starts_ms)
      return error(draft_.places[kEndsAt], kFieldNames[kEndsAt], "must be later than starts_at");
    if (terms.has_proof && !terms.has_hidden_link)
      return error(draft_.places[kProof], kFieldNames[kProof],
                   "is asked for with a link: it needs hidden_link");
    return Ok{};
  }

  Error error(const char* where, std::string_view field, std::string_view reason) const {
    return json_.error(where, prefix_ + std::string(field), reason);
  }

  const Draft& draft() const { return draft_; }
  Draft& draft() { return draft_; }

 private:
  const JsonText& json_;
  const char* where_;  // where the item begins
  std::string prefix_;
  Draft draft_;
};

// Reads the elements of "items".
class CatalogReader {
 public:
  explicit CatalogReader(JsonText& json) : json_(json) {}

  Status read_items(JsonText::Value items, const char* where) {
    has_items_ = true;
    return json_.for_each_element(items, where, "items",
                                  [this](JsonText::Value item, const char* item_where) {
                                    return read_item(item, item_where);
                                  });
  }

  bool has_items() const { return has_items_; }
  std::vector<CatalogEntry>& entries() { return entries_; }

 private:
  Status read_item(JsonText::Value item, const char* where) {
    const std::string name = "items[" + std::to_string(entries_.size()) + "]";
    if (entries_.size() == bounds::item_count_max)
      return json_.error(where, name,
                         "more than " + std::to_string(bounds::item_count_max) + " items");
    ItemReader reader(json_, where, name + ".");
    const auto read = [&](std::string_view key, JsonText::Value value, const char* field_where) {
      return reader.read(key, value, field_where);
    };
    if (Status status = json_.for_each_field(item, where, name, read); !status) return status;
    if (Status status = require_name(reader); !status) return status;
    if (Status status = reader.require(kStock); !status) return status;
    if (Status status = reader.finish(); !status) return status;
    entries_.push_back(reader.draft().entry);
    return note_name(reader);
  }

  // An item has a code, or a product that its code is made of.
  static Status require_name(const ItemReader& reader) {
    const Draft& draft = reader.draft();
    if (draft.entry.terms.product.empty()) return reader.require(kCode);
    if (!draft.has(kCode)) return Ok{};
    return reader.error(draft.places[kCode], kFieldNames[kCode],
                        "is made of the product: leave one of the two out");
  }

  // No two items have one.
  Status note_name(const ItemReader& reader) {
    const ItemTerms& terms = entries_.back().terms;
    const Field field = terms.product.empty() ? kCode : kProduct;
    std::unordered_set<std::string>& names = terms.product.empty() ? codes_ : products_;
    if (names.emplace(terms.product.empty() ? terms.code.view() : terms.product.view()).second)
      return Ok{};
    return reader.error(
        reader.draft().places[field], kFieldNames[field],
        "the catalog has an item of this " + std::string(kFieldNames[field]) + " already");
  }

  JsonText& json_;
  bool has_items_ = false;
  std::vector<CatalogEntry> entries_;
  std::unordered_set<std::string> codes_, products_;
};

// Empty: there is none.
void append_text(std::string_view text, std::string& out) {
  if (text.empty())
    out += "null";
  else
    append_quoted(text, out);
}

void append_time(int64_t wall_ms, std::string& out) {
  const TimeText time(wall_ms);
  append_text(wall_ms == 0 ? std::string_view{} : time.view(), out);
}

// What catalogs and records have said of an item from the beginning, without the brace that ends it.
void append_first_terms(const ItemTerms& terms, std::string& out) {
  out += "{\"code\":";
  append_quoted(terms.code, out);
  out += ",\"title\":";
  append_quoted(terms.title, out);
  out += ",\"price\":" + std::to_string(terms.price) + ",\"currency\":";
  append_quoted({terms.currency.data(), terms.currency.size()}, out);
  out += ",\"per_user_limit\":" + std::to_string(terms.per_user_limit) + ",\"starts_at\":";
  append_time(terms.starts_ms, out);
  out += ",\"ends_at\":";
  append_time(terms.ends_ms, out);
  out += ",\"pay_window_s\":" + std::to_string(terms.pay_window_s);
  out += terms.has_hidden_link ? ",\"hidden_link\":true" : ",\"hidden_link\":false";
}

// What only operators see.
void append_inner_terms(const ItemTerms& terms, std::string& out) {
  out += ",\"order_rate\":" + std::to_string(terms.order_rate);
  out += terms.has_proof ? ",\"proof\":true" : ",\"proof\":false";
  out += ",\"product\":";
  append_text(terms.product, out);
  out += ",\"enrolled\":";
  append_text(terms.enrolled, out);
}

bool has_inner_terms(const ItemTerms& terms) {
  return terms.order_rate != 0 || terms.has_proof || !terms.product.empty() ||
         !terms.enrolled.empty();
}

}  // namespace

Result<std::vector<CatalogEntry>> parse_catalog(std::string_view text, std::string_view file_name) {
  JsonText json(text, file_name);
  CatalogReader reader(json);
  const Status status =
      json.for_each_field([&](std::string_view key, JsonText::Value value, const char* where) {
        if (key != "items") return Status(json.error(where, key, "unknown key"));
        if (reader.has_items()) return Status(json.error(where, key, "is given twice"));
        return reader.read_items(value, where);
      });
  if (!status) return status.error();
  if (!reader.has_items()) return json.error(json.begin(), "items", "is required");
  return std::move(reader.entries());
}

Result<ItemChange> parse_item(std::string_view body, std::string_view code) {
  JsonText json(body, "body");
  if (!is_item_code(code)) return json.error(json.begin(), kFieldNames[kCode], kCodeExpected);
  ItemReader reader(json, json.begin(), "");
  const Status status =
      json.for_each_field([&](std::string_view key, JsonText::Value value, const char* where) {
        return reader.read(key, value, where);
      });
  if (!status) return status.error();
  const Draft& draft = reader.draft();
  ItemTerms& terms = reader.draft().entry.terms;
  if (!draft.has(kCode)) terms.code = code;
  if (terms.code.view() != code)
    return reader.error(draft.places[kCode], kFieldNames[kCode], "is another one than the path's");
  if (Status finished = reader.finish(); !finished) return finished.error();
  return ItemChange{terms, draft.has(kStock) ? std::optional(draft.entry.stock) : std::nullopt};
}

bool is_item_code(std::string_view text) {
  return !text.empty() && !is_of_dots(text) && text.size() <= bounds::item_code_bytes_max &&
         std::all_of(text.begin(), text.end(), is_code_char);
}

bool is_product(std::string_view text) {
  const auto is_visible = [](char c) { return c >= 0x21 && c <= 0x7e; };
  return !text.empty() && text.size() <= bounds::product_bytes_max &&
         std::all_of(text.begin(), text.end(), is_visible);
}

void append_item_json(const ItemTerms& terms, std::string& out) {
  append_first_terms(terms, out);
  out += '}';
}

std::string terms_json(const ItemTerms& terms) {
  std::string out;
  append_first_terms(terms, out);
  append_inner_terms(terms, out);
  return out + '}';
}

uint64_t catalog_sum_of(const ItemTerms& entry) {
  std::string text;
  append_first_terms(entry, text);
  // Left out where they say nothing: the sums of data directories that did not know them stay valid.
  if (has_inner_terms(entry)) append_inner_terms(entry, text);
  text += '}';
  return checksum(std::as_bytes(std::span(text)));
}

std::string entity_tag(std::string_view body) {
  const Hex64Text digits(checksum(std::as_bytes(std::span(body))));
  return '"' + std::string(digits.view()) + '"';
}

CatalogEntry demo_entry() {
  CatalogEntry entry;
  entry.terms.code = std::string_view("ticket");
  entry.terms.title = std::string_view("Beijing–Shanghai G101");
  entry.terms.price = 55'350;
  entry.terms.per_user_limit = 1;
  entry.stock = 10'000;
  return entry;
}

CatalogEntry bench_entry() {
  CatalogEntry entry = demo_entry();
  entry.terms.title = std::string_view("an item that does not run out");
  entry.terms.per_user_limit = 0;
  entry.stock = bounds::stock_max;
  return entry;
}

}  // namespace stampede::stock
