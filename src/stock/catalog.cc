#include "stock/catalog.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace stampede::stock {
namespace {

std::unique_ptr<char[]> joined(std::initializer_list<std::string_view> texts) {
  size_t bytes = 0;
  for (const std::string_view text : texts) bytes += text.size();
  auto joined = std::make_unique_for_overwrite<char[]>(bytes);
  char* end = joined.get();
  for (const std::string_view text : texts) end = std::copy(text.begin(), text.end(), end);
  return joined;
}

}  // namespace

orderlog::Item record_of(const ItemTerms& terms) {
  return {.item = terms.id,
          .code = terms.code,
          .title = terms.title,
          .price = terms.price,
          .currency = terms.currency,
          .per_user_limit = terms.per_user_limit,
          .starts_ms = terms.starts_ms,
          .ends_ms = terms.ends_ms,
          .pay_window_s = terms.pay_window_s,
          .is_paused = terms.is_paused,
          .is_ended = terms.is_ended,
          .has_hidden_link = terms.has_hidden_link,
          .catalog_sum = terms.catalog_sum,
          .order_rate = terms.order_rate,
          .has_proof = terms.has_proof,
          .product = terms.product,
          .enrolled = terms.enrolled};
}

ItemTerms terms_of(const orderlog::Item& record) {
  return {{.price = record.price,
           .starts_ms = record.starts_ms,
           .ends_ms = record.ends_ms,
           .pay_window_s = record.pay_window_s,
           .per_user_limit = record.per_user_limit,
           .order_rate = record.order_rate,
           .currency = record.currency,
           .is_paused = record.is_paused,
           .is_ended = record.is_ended,
           .has_hidden_link = record.has_hidden_link,
           .has_proof = record.has_proof},
          record.item,
          record.code,
          record.title,
          record.product,
          record.enrolled,
          record.catalog_sum};
}

Catalog::Catalog(const HashKey& key, double filter_rate, size_t items)
    : key_(key), buckets_(bounds::item_count_max), filter_(filter_rate, items) {}

void Catalog::upsert(const ItemTerms& terms) {
  ++version_;
  CHECK(terms.id < bounds::item_count_max);
  if (!contains(terms.id)) {
    CHECK(find(terms.code) == kNoItem);
    if (terms.id >= rows_.size()) rows_.resize(terms.id + 1);
    const uint64_t hash = keyed_hash(key_, terms.code);
    rows_[terms.id].next = buckets_.push(hash, terms.id);
    filter_.add(hash);
  } else {
    CHECK(code(terms.id) == terms.code.view());
  }
  Row& row = rows_[terms.id];
  row.sale = terms;
  row.texts = joined({terms.code, terms.title, terms.product, terms.enrolled});
  row.code_bytes = static_cast<uint8_t>(terms.code.view().size());
  row.title_bytes = static_cast<uint8_t>(terms.title.view().size());
  row.product_bytes = static_cast<uint8_t>(terms.product.view().size());
  row.enrolled_bytes = static_cast<uint8_t>(terms.enrolled.view().size());
}

ItemId Catalog::find(std::string_view code) const {
  if (last_found_ < rows_.size() && code_of(rows_[last_found_]) == code) return last_found_;
  const uint64_t hash = keyed_hash(key_, code);
  if (!filter_.may_contain(hash)) return kNoItem;
  ItemId id = buckets_.first(hash);
  while (id != kNoItem && code_of(rows_[id]) != code) id = rows_[id].next;
  if (id != kNoItem) last_found_ = id;
  return id;
}

Catalog::Texts Catalog::texts(ItemId id) const {
  const Row& found = row(id);
  const char* at = found.texts.get();
  const auto take = [&at](size_t bytes) {
    return std::string_view(std::exchange(at, at + bytes), bytes);
  };
  return {take(found.code_bytes), take(found.title_bytes), take(found.product_bytes),
          take(found.enrolled_bytes)};
}

ItemTerms Catalog::terms(ItemId id) const {
  const Texts all = texts(id);
  return {sale(id), id, all.code, all.title, all.product, all.enrolled};
}

}  // namespace stampede::stock
