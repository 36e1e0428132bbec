#include "stock/catalog.h"

#include <cstring>

namespace stampede::stock {
namespace {

std::unique_ptr<char[]> joined(std::string_view code, std::string_view title) {
  auto texts = std::make_unique_for_overwrite<char[]>(code.size() + title.size());
  std::memcpy(texts.get(), code.data(), code.size());
  std::memcpy(texts.get() + code.size(), title.data(), title.size());
  return texts;
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
          .catalog_sum = terms.catalog_sum};
}

ItemTerms terms_of(const orderlog::Item& record) {
  return {{.price = record.price,
           .starts_ms = record.starts_ms,
           .ends_ms = record.ends_ms,
           .pay_window_s = record.pay_window_s,
           .per_user_limit = record.per_user_limit,
           .currency = record.currency,
           .is_paused = record.is_paused,
           .is_ended = record.is_ended,
           .has_hidden_link = record.has_hidden_link},
          record.item,
          record.code,
          record.title,
          record.catalog_sum};
}

Catalog::Catalog(const HashKey& key) : key_(key), buckets_(bounds::item_count_max) {}

void Catalog::upsert(const ItemTerms& terms) {
  ++version_;
  CHECK(terms.id < bounds::item_count_max);
  if (!contains(terms.id)) {
    CHECK(find(terms.code) == kNoItem);
    if (terms.id >= rows_.size()) rows_.resize(terms.id + 1);
    rows_[terms.id].next = buckets_.push(keyed_hash(key_, terms.code), terms.id);
  } else {
    CHECK(code(terms.id) == terms.code.view());
  }
  Row& row = rows_[terms.id];
  row.sale = terms;
  row.texts = joined(terms.code, terms.title);
  row.code_bytes = static_cast<uint8_t>(terms.code.view().size());
  row.title_bytes = static_cast<uint8_t>(terms.title.view().size());
}

ItemId Catalog::find(std::string_view code) const {
  ItemId id = buckets_.first(keyed_hash(key_, code));
  while (id != kNoItem && code_of(rows_[id]) != code) id = rows_[id].next;
  return id;
}

std::string_view Catalog::title(ItemId id) const {
  const Row& found = row(id);
  return {found.texts.get() + found.code_bytes, found.title_bytes};
}

ItemTerms Catalog::terms(ItemId id) const {
  return {sale(id), id, code(id), title(id)};
}

}  // namespace stampede::stock
